package dev.sparkmla.grammar;

import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Operations;
import org.apache.lucene.util.automaton.TooComplexToDeterminizeException;

/**
 * The work that one response format may take, so that a hostile one ends in time: counted in states
 * and transitions, and so the same on every machine. For one thread.
 */
final class Budget {
  /** About a second; a schema of 30 fields takes a fiftieth of it. */
  private static final long MOST_WORK = 5_000_000;

  /** The limits under which an automaton is determinized, one after the other. */
  private static final int[] DETERMINIZING_LIMITS = {400, 4_000, 40_000};

  /** Lucene counts the states of all sets of states, in tens; each takes as long as four others. */
  private static final long DETERMINIZING_COST = 4 * 10;

  private long left = MOST_WORK;

  /**
   * Takes work from what is left.
   *
   * @throws InvalidResponseFormatException when nothing is
   */
  void spend(long work) {
    left -= work;
    if (left < 0) {
      throw exceeded(null);
    }
  }

  /** A deterministic automaton of the same language, without dead states. */
  Automaton deterministic(Automaton automaton) {
    Automaton deterministic = automaton.isDeterministic() ? automaton : determinized(automaton);
    spend(deterministic.getNumTransitions());
    return Operations.removeDeadStates(deterministic);
  }

  private Automaton determinized(Automaton automaton) {
    TooComplexToDeterminizeException problem = null;
    for (int limit : DETERMINIZING_LIMITS) {
      try {
        spend(DETERMINIZING_COST * limit);
        return Operations.determinize(automaton, limit);
      } catch (TooComplexToDeterminizeException e) {
        problem = e; // the next limit is larger
      }
    }
    throw exceeded(problem);
  }

  /** The smallest deterministic automaton of the same language, without dead states. */
  Automaton minimal(Automaton automaton) {
    return Minimization.minimal(deterministic(automaton), this);
  }

  /** Says that a response format takes more than it may. */
  static InvalidResponseFormatException exceeded(Throwable cause) {
    return new InvalidResponseFormatException(
        "the response format is too complex: its automaton would take too much work and memory;"
            + " give it fewer or smaller alternatives, repetitions and bounds",
        cause);
  }
}
