package dev.sparkmla.grammar;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import org.apache.lucene.util.automaton.Automata;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;
import org.apache.lucene.util.automaton.UTF32ToUTF8;

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

  /** How many spaces or tabs free white space may have in a row. */
  static final int MOST_BLANKS = 20;

  private final Budget budget;
  private int states = 2;

  /** [from, least label, largest label, to] each. */
  private final Rows transitions = new Rows(4);

  /** [from, to] each. */
  private final Rows empties = new Rows(2);

  /** Rows of numbers, one after another. */
  private static final class Rows {
    private final int width;
    private int[] values = new int[64];
    private int size;

    Rows(int width) {
      this.width = width;
    }

    void add(int... row) {
      if (size + width > values.length) {
        values = Arrays.copyOf(values, 2 * values.length);
      }
      System.arraycopy(row, 0, values, size, width);
      size += width;
    }

    /** The rows in the order of their first numbers, [states + 1]: where each begins. */
    int[] starts(int states) {
      int[] starts = new int[states + 1];
      for (int i = 0; i < size; i += width) {
        starts[values[i] + 1]++;
      }
      for (int state = 0; state < states; state++) {
        starts[state + 1] += starts[state];
      }
      return starts;
    }

    /** The indexes of rows, by their first numbers. */
    int[] sorted(int[] starts) {
      int[] next = starts.clone();
      int[] rows = new int[size / width];
      for (int i = 0; i < size; i += width) {
        rows[next[values[i]]++] = i;
      }
      return rows;
    }
  }

  Network(Budget budget) {
    this.budget = budget;
  }

  /** A new state. */
  int state() {
    budget.spend(1);
    return states++;
  }

  /** Lets one state be another without a label. */
  void skip(int from, int to) {
    budget.spend(1);
    empties.add(from, to);
  }

  /** A transition by any label of a range. */
  void label(int from, int least, int largest, int to) {
    budget.spend(1);
    transitions.add(from, least, largest, to);
  }

  /** A transition by one label. */
  void label(int from, int label, int to) {
    label(from, label, label, to);
  }

  /** The bytes of a text in UTF-8. */
  void text(int from, String text, int to) {
    int state = from;
    for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
      int next = state();
      label(state, value & 0xFF, next);
      state = next;
    }
    skip(state, to);
  }

  /**
   * The characters of a range in UTF-8.
   *
   * @param first the label of the byte 0 where a character begins: 0 or {@link Label#COUNTED}
   */
  void characters(int from, int least, int largest, int to, int first) {
    if (largest < 0x80) {
      label(from, first + least, first + largest, to);
      return;
    }
    part(from, new UTF32ToUTF8().convert(Automata.makeCharRange(least, largest)), to, first);
  }

  /** A copy of an automaton. */
  void part(int from, Automaton part, int to) {
    part(from, part, to, 0);
  }

  /** A copy, in which the labels that leave the first state are higher by {@code first}. */
  private void part(int from, Automaton part, int to, int first) {
    if (part.getNumStates() == 0) {
      return; // no text at all
    }
    int offset = states;
    budget.spend(part.getNumStates());
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

  /** White space, as far as it may be. */
  void space(int from, int to, WhiteSpace whiteSpace) {
    switch (whiteSpace) {
      case COMPACT -> skip(from, to);
      case FREE -> {
        int blanks = state();
        skip(from, blanks);
        label(from, '\n', blanks);
        for (int i = 0; i < MOST_BLANKS; i++) {
          skip(blanks, to);
          int next = state();
          label(blanks, ' ', next);
          label(blanks, '\t', next);
          blanks = next;
        }
        skip(blanks, to);
      }
    }
  }

  /** The smallest deterministic automaton of the texts from {@link #START} to {@link #END}. */
  Automaton minimal() {
    return budget.minimal(withoutEmpties());
  }

  private Automaton withoutEmpties() {
    int[] emptyStarts = empties.starts(states);
    int[] emptyRows = empties.sorted(emptyStarts);
    int[] starts = transitions.starts(states);
    int[] rows = transitions.sorted(starts);
    Automaton.Builder builder = new Automaton.Builder(states, transitions.size / 4);
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
        budget.spend(1 + starts[reached + 1] - starts[reached]);
        if (reached == END) {
          builder.setAccept(state, true);
        }
        for (int i = starts[reached]; i < starts[reached + 1]; i++) {
          int[] values = transitions.values;
          builder.addTransition(
              state, values[rows[i] + 3], values[rows[i] + 1], values[rows[i] + 2]);
        }
        for (int i = emptyStarts[reached]; i < emptyStarts[reached + 1]; i++) {
          int target = empties.values[emptyRows[i] + 1];
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
