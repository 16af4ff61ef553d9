package dev.sparkmla.grammar;

import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.MinimizationOperations;
import org.apache.lucene.util.automaton.Operations;
import org.apache.lucene.util.automaton.TooComplexToDeterminizeException;

/**
 * The work that one response format may take, so that a hostile one ends in time: counted in states
 * and transitions, and so the same on every machine. For one thread.
 */
final class Budget {
  /** Some tenths of a second; a schema of 30 fields takes a hundredth of it. */
  private static final long MOST_WORK = 10_000_000;

  /** Lucene counts the states of all sets of states, in tens. */
  private static final int MOST_DETERMINIZING = 40_000;

  /** Lucene's minimization holds several tables of states times labels. */
  private static final long MOST_MINIMIZED = 2_000_000;

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

  /** The smallest deterministic automaton of the same language, without dead states. */
  Automaton minimal(Automaton automaton) {
    try {
      Automaton deterministic = Operations.determinize(automaton, MOST_DETERMINIZING);
      long subsets = (long) deterministic.getNumStates() * automaton.getNumStates();
      spend(
          deterministic.getNumTransitions()
              + (deterministic == automaton ? 0 : Math.min(subsets, 10L * MOST_DETERMINIZING)));
      Automaton live = Operations.removeDeadStates(deterministic);
      long cells = (long) live.getNumStates() * live.getStartPoints().length;
      if (cells > MOST_MINIMIZED) {
        return live;
      }
      spend(cells);
      return Operations.removeDeadStates(MinimizationOperations.minimize(live, MOST_DETERMINIZING));
    } catch (TooComplexToDeterminizeException e) {
      throw exceeded(e);
    }
  }

  /** Says that a response format takes more than it may. */
  static InvalidResponseFormatException exceeded(Throwable cause) {
    return new InvalidResponseFormatException(
        "the response format is too complex: its automaton would take too much work and memory;"
            + " give it fewer or smaller alternatives, repetitions and bounds",
        cause);
  }
}
