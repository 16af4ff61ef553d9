package dev.sparkmla.grammar;

import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;

/**
 * A nondeterministic automaton under construction. Parts are laid between two states, which may be
 * joined by empty transitions (Thompson's construction), so that a part stands once however many
 * ways lead to it. For one thread.
 */
final class Network {
  /** The state that texts begin in. */
  static final int START = 0;

  /** The state that texts end in. */
  static final int END = 1;

  /** What a state or a transition costs of the budget, by the memory that it takes. */
  static final int COST = 4;

  private final Budget budget;
  private int states = 2;

  /** [from, least label, largest label, to] each. */
  private final Rows transitions = new Rows(4);

  /** [from, to] each. */
  private final Rows empties = new Rows(2);

  Network(Budget budget) {
    this.budget = budget;
  }

  /** A new state. */
  int state() {
    budget.spend(COST);
    return states++;
  }

  /** Lets one state be another without a label. */
  void skip(int from, int to) {
    budget.spend(COST);
    empties.add(from, to);
  }

  /** A transition by any label of a range. */
  void label(int from, int least, int largest, int to) {
    budget.spend(COST);
    transitions.add(from, least, largest, to);
  }

  /** A transition by one label. */
  void label(int from, int label, int to) {
    label(from, label, label, to);
  }

  /**
   * The bytes of a text in UTF-8.
   *
   * @param first what the first byte's label is higher by: 0 or {@link Label#COUNTED}
   */
  void text(int from, String text, int to, int first) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int state = from;
    for (int i = 0; i < bytes.length; i++) {
      int next = i + 1 < bytes.length ? state() : to;
      label(state, (bytes[i] & 0xFF) + (i == 0 ? first : 0), next);
      state = next;
    }
    if (bytes.length == 0) {
      skip(from, to);
    }
  }

  /** A copy of an automaton. */
  void part(int from, Automaton part, int to) {
    part(from, part, to, 0);
  }

  /** A copy, in which the labels that leave the first state are higher by {@code first}. */
  void part(int from, Automaton part, int to, int first) {
    if (part.getNumStates() == 0) {
      return; // no text at all
    }
    int offset = states;
    budget.spend((long) COST * part.getNumStates());
    states += part.getNumStates();
    skip(from, offset);
    Transition transition = new Transition();
    for (int state = 0; state < part.getNumStates(); state++) {
      int shift = state == 0 ? first : 0;
      int count = part.initTransition(state, transition);
      for (int i = 0; i < count; i++) {
        part.getNextTransition(transition);
        label(
            offset + state,
            transition.min + shift,
            transition.max + shift,
            offset + transition.dest);
      }
      if (part.isAccept(state)) {
        skip(offset + state, to);
      }
    }
  }

  /** The smallest deterministic automaton of the texts from {@link #START} to {@link #END}. */
  Automaton minimal() {
    return budget.minimal(withoutEmpties());
  }

  /**
   * A deterministic automaton of these texts: for large networks that have hardly any equal states.
   */
  Automaton deterministic() {
    return budget.deterministic(withoutEmpties());
  }

  private Automaton withoutEmpties() {
    Rows.Sorted sortedEmpties = empties.sorted(states);
    Rows.Sorted sorted = transitions.sorted(states);
    Automaton.Builder builder = new Automaton.Builder(states, transitions.size());
    for (int state = 0; state < states; state++) {
      builder.createState();
    }
    BitSet seen = new BitSet(states);
    int[] pending = new int[states];
    for (int state = 0; state < states; state++) {
      int size = 0;
      pending[size++] = state;
      seen.set(state);
      for (int next = 0; next < size; next++) {
        int reached = pending[next];
        budget.spend(1 + sorted.count(reached));
        if (reached == END) {
          builder.setAccept(state, true);
        }
        for (int i = 0; i < sorted.count(reached); i++) {
          int row = sorted.row(reached, i);
          builder.addTransition(
              state, transitions.get(row, 3), transitions.get(row, 1), transitions.get(row, 2));
        }
        for (int i = 0; i < sortedEmpties.count(reached); i++) {
          int target = empties.get(sortedEmpties.row(reached, i), 1);
          if (!seen.get(target)) {
            seen.set(target);
            pending[size++] = target;
          }
        }
      }
      for (int i = 0; i < size; i++) {
        seen.clear(pending[i]);
      }
    }
    return builder.finish();
  }
}
