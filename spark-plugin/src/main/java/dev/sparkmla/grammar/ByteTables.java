package dev.sparkmla.grammar;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.ByteAutomaton.Action;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;

/**
 * Makes the tables of a {@link ByteAutomaton}. Each counted string that leads to a state becomes
 * states of its own, which all strings with the same bounds and target share. For one thread.
 */
final class ByteTables {
  /** Columns of edges before equal ones are joined: 64 MiB. */
  private static final long MOST_CELLS = 1L << 24;

  /** The states of a counted string: its label and the state that follows it. */
  private record StringKey(int label, int target) {}

  private final Automaton answers;
  private final CountedStrings strings;
  private final Map<StringKey, Integer> firstStates = new LinkedHashMap<>();
  private final Rows edges = new Rows(4);
  private int states;

  private ByteTables(Automaton answers, CountedStrings strings) {
    this.answers = answers;
    this.strings = strings;
    this.states = answers.getNumStates();
  }

  /**
   * The automaton over bytes with one counter.
   *
   * @param answers deterministic, over bytes and labels of strings, which are apart ({@link
   *     CountedStrings#apart})
   * @throws InvalidResponseFormatException when there is no text or the tables are too large
   */
  static ByteAutomaton of(Automaton answers, CountedStrings strings) {
    if (answers.getNumStates() == 0) {
      throw new InvalidResponseFormatException(
          "no text meets the response format: its parts exclude each other");
    }
    return new ByteTables(answers, strings).make();
  }

  private ByteAutomaton make() {
    BitSet accepting = new BitSet();
    for (int state = 0; state < answers.getNumStates(); state++) {
      accepting.set(state, answers.isAccept(state));
      addEdges(state);
    }
    firstStates.forEach(this::addString);
    int[] least = new int[states];
    int[] most = new int[states];
    firstStates.forEach(
        (key, first) -> {
          int end = first + strings.characters().getNumStates();
          CountedStrings.Bounds bounds = strings.bounds(key.label());
          Arrays.fill(least, first, end, bounds.least());
          Arrays.fill(most, first, end, bounds.most());
        });
    return classified(least, most, accepting);
  }

  private void addEdges(int state) {
    Transition transition = new Transition();
    int transitions = answers.initTransition(state, transition);
    for (int i = 0; i < transitions; i++) {
      answers.getNextTransition(transition);
      if (transition.min < Label.BYTES) {
        edges.add(
            state,
            transition.min,
            transition.max,
            ByteAutomaton.edge(transition.dest, Action.KEEP));
        continue;
      }
      for (int label = transition.min; label <= transition.max; label++) {
        int first = firstState(new StringKey(label, transition.dest));
        edges.add(state, '"', '"', ByteAutomaton.edge(first, Action.KEEP));
      }
    }
  }

  private int firstState(StringKey key) {
    Integer known = firstStates.get(key);
    if (known != null) {
      return known;
    }
    int first = states;
    states += strings.characters().getNumStates();
    if (states > ByteAutomaton.MOST_STATES) {
      throw Budget.exceeded(null);
    }
    firstStates.put(key, first);
    return first;
  }

  private void addString(StringKey key, int first) {
    Automaton characters = strings.characters();
    Transition transition = new Transition();
    for (int state = 0; state < characters.getNumStates(); state++) {
      if (characters.isAccept(state)) {
        edges.add(first + state, '"', '"', ByteAutomaton.edge(key.target(), Action.LEAVE));
      }
      int transitions = characters.initTransition(state, transition);
      for (int i = 0; i < transitions; i++) {
        characters.getNextTransition(transition);
        boolean counted = Label.isCounted(transition.min);
        int label = counted ? Label.COUNTED : 0;
        edges.add(
            first + state,
            transition.min - label,
            transition.max - label,
            ByteAutomaton.edge(first + transition.dest, counted ? Action.COUNT : Action.KEEP));
      }
    }
  }

  /** Lets bytes of which no state tells one from the other share a class. */
  private ByteAutomaton classified(int[] least, int[] most, BitSet accepting) {
    int[] groupOf = groups();
    int groups = groupOf[Label.BYTES - 1] + 1;
    if ((long) groups * states > MOST_CELLS) {
      throw Budget.exceeded(null);
    }
    int[][] columns = new int[groups][states];
    for (int[] column : columns) {
      Arrays.fill(column, ByteAutomaton.NO_EDGE);
    }
    for (int row = 0; row < edges.size(); row++) {
      int end = groupOf[edges.get(row, 2)];
      for (int group = groupOf[edges.get(row, 1)]; group <= end; group++) {
        columns[group][edges.get(row, 0)] = edges.get(row, 3);
      }
    }
    Map<IntBuffer, Integer> classes = new HashMap<>();
    int[] classOfGroup = new int[groups];
    for (int group = 0; group < groups; group++) {
      int next = classes.size();
      classOfGroup[group] = classes.computeIfAbsent(IntBuffer.wrap(columns[group]), key -> next);
    }
    if ((long) classes.size() * states > ByteAutomaton.MOST_EDGES) {
      throw Budget.exceeded(null);
    }
    byte[] classOf = new byte[Label.BYTES];
    for (int value = 0; value < Label.BYTES; value++) {
      classOf[value] = (byte) classOfGroup[groupOf[value]];
    }
    int[] table = new int[states * classes.size()];
    for (int group = 0; group < groups; group++) {
      for (int state = 0; state < states; state++) {
        table[state * classes.size() + classOfGroup[group]] = columns[group][state];
      }
    }
    return new ByteAutomaton(classOf, table, least, most, accepting);
  }

  /** The group of each byte, rising: between two neighbours of one group no edge begins or ends. */
  private int[] groups() {
    BitSet begins = new BitSet();
    for (int row = 0; row < edges.size(); row++) {
      begins.set(edges.get(row, 1));
      begins.set(edges.get(row, 2) + 1);
    }
    int[] groupOf = new int[Label.BYTES];
    for (int value = 1; value < Label.BYTES; value++) {
      groupOf[value] = groupOf[value - 1] + (begins.get(value) ? 1 : 0);
    }
    return groupOf;
  }
}
