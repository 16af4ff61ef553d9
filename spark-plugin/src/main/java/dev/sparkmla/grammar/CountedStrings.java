package dev.sparkmla.grammar;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;

/**
 * JSON strings of any characters, whose length is bounded by the counter of a {@link
 * dev.sparkmla.policy.ByteAutomaton}. While automata are determinized, such a string with its
 * quotes is one label, the same for all strings with the same bounds. For one thread.
 */
final class CountedStrings {
  /**
   * How many characters a string has.
   *
   * @param least the fewest
   * @param most the most
   */
  record Bounds(int least, int most) {}

  private final Budget budget;
  private final List<Bounds> bounds = new ArrayList<>();
  private final Map<Bounds, Integer> labels = new HashMap<>();
  private Automaton characters;

  CountedStrings(Budget budget) {
    this.budget = budget;
  }

  /** The label of strings with these bounds. */
  int label(int least, int most) {
    return labels.computeIfAbsent(
        new Bounds(least, most),
        pair -> {
          bounds.add(pair);
          return Label.STRINGS + bounds.size() - 1;
        });
  }

  /** The bounds that a label stands for. */
  Bounds bounds(int label) {
    return bounds.get(label - Label.STRINGS);
  }

  /** What stands between the quotes, of any length, over bytes and counted bytes. */
  Automaton characters() {
    if (characters == null) {
      Expression any = new Expression.Character(CharacterSet.ALL);
      characters =
          Layout.ofText(
              new Expression.Repetition(any, Expression.EMPTY, 0, Expression.UNBOUNDED), budget);
    }
    return characters;
  }

  /**
   * The same texts, where a state that a counted string leaves is left by no other string. Where
   * one is, it would depend on the characters to come which string's they are, and one counter
   * could not count for both: there the strings' states are spelled out.
   *
   * @param automaton deterministic, over bytes and labels of strings
   */
  Automaton apart(Automaton automaton) {
    Automaton apart = automaton;
    BitSet shared = sharedStates(apart);
    while (!shared.isEmpty()) {
      apart = spelledOut(apart, shared);
      shared = sharedStates(apart);
    }
    return apart;
  }

  /** The states that a counted string and another string leave. */
  private static BitSet sharedStates(Automaton automaton) {
    BitSet shared = new BitSet();
    Transition transition = new Transition();
    for (int state = 0; state < automaton.getNumStates(); state++) {
      int counted = 0;
      int quotes = 0;
      int transitions = automaton.initTransition(state, transition);
      for (int i = 0; i < transitions; i++) {
        automaton.getNextTransition(transition);
        if (transition.min >= Label.STRINGS) {
          counted += transition.max - transition.min + 1;
        } else if (transition.min <= '"' && transition.max >= '"') {
          quotes++;
        }
      }
      shared.set(state, counted > 0 && counted + quotes > 1);
    }
    return shared;
  }

  private Automaton spelledOut(Automaton automaton, BitSet shared) {
    Network network = new Network(budget);
    int[] states = new int[automaton.getNumStates()];
    for (int state = 0; state < states.length; state++) {
      states[state] = network.state();
      if (automaton.isAccept(state)) {
        network.skip(states[state], Network.END);
      }
    }
    network.skip(Network.START, states[0]);
    Transition transition = new Transition();
    for (int state = 0; state < states.length; state++) {
      int transitions = automaton.initTransition(state, transition);
      for (int i = 0; i < transitions; i++) {
        automaton.getNextTransition(transition);
        int target = states[transition.dest];
        if (transition.min >= Label.STRINGS && shared.get(state)) {
          for (int label = transition.min; label <= transition.max; label++) {
            spellOut(network, states[state], bounds(label), target);
          }
        } else {
          network.label(states[state], transition.min, transition.max, target);
        }
      }
    }
    return network.deterministic();
  }

  private void spellOut(Network network, int from, Bounds bounds, int to) {
    int opened = network.state();
    network.label(from, '"', opened);
    int ended = network.state();
    Automaton text = CountedText.bounded(characters(), bounds.least(), bounds.most(), budget);
    network.part(opened, text, ended);
    network.label(ended, '"', to);
  }
}
