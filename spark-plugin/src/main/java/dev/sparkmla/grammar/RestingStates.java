package dev.sparkmla.grammar;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.ByteAutomaton.Action;
import dev.sparkmla.policy.TokenBytes;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.Set;

/**
 * The states of an automaton in which a token may end, because a vocabulary leads on from there to
 * the end of an answer. In all of them it does where each byte is a token of its own, which holds
 * for byte-level and byte-fallback vocabularies.
 *
 * <p>Elsewhere all tokens are walked from each state. Within a counted string the count is not
 * known, and a state rests only if it may with any count: some tokens lead out of the string once
 * its least count is reached (those that count no further), and, below the least count, some lead
 * towards it (those that count one character).
 *
 * <p>Where that takes too much work, only tokens as long as one character are walked. Then fewer
 * states may rest than could, but none that must not. For one thread.
 */
final class RestingStates {
  /** Some tenths of a second. */
  private static final long MOST_WORK = 30_000_000;

  /** What a step costs of that, by the memory that it takes. */
  private static final int STEP_COST = 10;

  /** The most bytes of a character in UTF-8. */
  private static final int LONGEST_CHARACTER = 4;

  private static final int TARGET_MASK = (1 << ByteAutomaton.ACTION_SHIFT) - 1;
  private static final Action[] ACTIONS = Action.values();

  /** What is known of the count on the way from a state. */
  private enum Count {
    /** The state's own, whatever it was, and the string was not left. */
    SAME,
    /** One more. */
    ONE_MORE,
    /** Known by itself: outside of strings, or after one was left. */
    KNOWN
  }

  private static final Count[] COUNTS = Count.values();

  private final ByteAutomaton automaton;
  private final int[] edges;
  private final byte[] classOf;
  private final int[] least;
  private final int[] most;

  /** [target, source, ordinal of the count]: where tokens lead. */
  private Rows steps = new Rows(3);

  private RestingStates(ByteAutomaton automaton) {
    this.automaton = automaton;
    this.edges = automaton.edges();
    this.classOf = automaton.classOf();
    this.least = automaton.least();
    this.most = automaton.most();
  }

  /**
   * The automaton in which tokens of a vocabulary may end where it leads on.
   *
   * @throws InvalidResponseFormatException when the vocabulary cannot spell any answer
   */
  static ByteAutomaton of(ByteAutomaton automaton, TokenBytes vocabulary) {
    RestingStates states = new RestingStates(automaton);
    BitSet missing = states.bytes();
    for (int token = 0; token < vocabulary.vocabulary(); token++) {
      if (vocabulary.length(token) == 1) {
        missing.clear(vocabulary.at(token, 0) & 0xFF);
      }
    }
    if (missing.isEmpty()) {
      return automaton;
    }
    TokenTree tokens = new TokenTree(vocabulary);
    if (!states.walk(tokens, tokens.height()) && !states.walk(tokens, LONGEST_CHARACTER)) {
      throw Budget.exceeded(null);
    }
    BitSet resting = states.resting();
    if (!resting.get(ByteAutomaton.state(automaton.start()))) {
      throw new InvalidResponseFormatException(
          String.format(
              "no answer that meets the response format can be made of the model's tokens: %d of"
                  + " the bytes that it needs are no tokens of their own, the first is %#x",
              missing.cardinality(), missing.nextSetBit(0)));
    }
    return automaton.restingIn(resting);
  }

  /** The bytes that have an edge. */
  private BitSet bytes() {
    BitSet classes = new BitSet();
    for (int i = 0; i < edges.length; i++) {
      if (edges[i] != ByteAutomaton.NO_EDGE) {
        classes.set(i % automaton.classes());
      }
    }
    BitSet bytes = new BitSet();
    for (int value = 0; value < classOf.length; value++) {
      bytes.set(value, classes.get(classOf[value] & 0xFF));
    }
    return bytes;
  }

  /**
   * Finds where tokens lead from each state.
   *
   * @param longest the most bytes of a token that is walked
   * @return false when it takes too much work
   */
  private boolean walk(TokenTree tokens, int longest) {
    steps = new Rows(3);
    long[] positions = new long[longest + 1];
    Count[] counts = new Count[longest + 1];
    int[] seenFrom = new int[automaton.states() * COUNTS.length];
    Arrays.fill(seenFrom, -1);
    long work = 0;
    for (int state = 0; state < automaton.states(); state++) {
      positions[0] = ByteAutomaton.position(state, 0);
      counts[0] = most[state] > 0 ? Count.SAME : Count.KNOWN;
      int node = 0;
      while (node < tokens.size() && work < MOST_WORK) {
        work++;
        int depth = tokens.depth(node);
        if (depth == longest || !step(positions, counts, depth, tokens.value(node))) {
          node = tokens.end(node);
          continue;
        }
        int target = ByteAutomaton.state(positions[depth + 1]);
        int count = counts[depth + 1].ordinal();
        if (tokens.endsToken(node) && seenFrom[target * COUNTS.length + count] != state) {
          seenFrom[target * COUNTS.length + count] = state;
          steps.add(target, state, count);
          work += STEP_COST;
        }
        node++;
      }
    }
    return work < MOST_WORK;
  }

  /** Goes one byte deeper, if an edge leads there. */
  private boolean step(long[] positions, Count[] counts, int depth, byte value) {
    Count count = counts[depth];
    if (count == Count.KNOWN) {
      positions[depth + 1] = automaton.step(positions[depth], value);
      counts[depth + 1] = Count.KNOWN;
      return positions[depth + 1] != ByteAutomaton.DEAD;
    }
    int state = ByteAutomaton.state(positions[depth]);
    int edge = edges[state * automaton.classes() + (classOf[value & 0xFF] & 0xFF)];
    if (edge == ByteAutomaton.NO_EDGE) {
      return false;
    }
    Action action = ACTIONS[edge >>> ByteAutomaton.ACTION_SHIFT];
    positions[depth + 1] = ByteAutomaton.position(edge & TARGET_MASK, 0);
    counts[depth + 1] =
        switch (action) {
          case KEEP -> count;
          case COUNT -> Count.ONE_MORE;
          case LEAVE -> Count.KNOWN;
        };
    return action == Action.KEEP || count == Count.SAME;
  }

  /** The largest set of states from each of which tokens lead on within the set to an end. */
  private BitSet resting() {
    Rows.Sorted sources = steps.sorted(automaton.states());
    BitSet resting = new BitSet();
    resting.set(0, automaton.states());
    int before;
    do {
      before = resting.cardinality();
      BitSet within = (BitSet) resting.clone();
      resting.and(
          leading(sources, automaton.accepting(), within, EnumSet.of(Count.SAME, Count.KNOWN)));
      resting.and(leading(sources, counting(sources, within), within, EnumSet.of(Count.SAME)));
    } while (resting.cardinality() < before);
    return resting;
  }

  /** The states that need count no further, or from which a token counts one more character. */
  private BitSet counting(Rows.Sorted sources, BitSet within) {
    BitSet counting = new BitSet();
    for (int state = 0; state < automaton.states(); state++) {
      if (least[state] == 0) {
        counting.set(state);
      }
    }
    within.stream()
        .forEach(
            target -> {
              for (int i = 0; i < sources.count(target); i++) {
                int row = sources.row(target, i);
                if (steps.get(row, 2) == Count.ONE_MORE.ordinal()) {
                  counting.set(steps.get(row, 1));
                }
              }
            });
    return counting;
  }

  /** The states from which tokens with such counts lead to a goal, within some states. */
  private BitSet leading(Rows.Sorted sources, BitSet goals, BitSet within, Set<Count> counts) {
    BitSet leading = (BitSet) goals.clone();
    leading.and(within);
    int[] pending = new int[automaton.states()];
    int size = 0;
    for (int state = leading.nextSetBit(0); state >= 0; state = leading.nextSetBit(state + 1)) {
      pending[size++] = state;
    }
    for (int next = 0; next < size; next++) {
      int target = pending[next];
      for (int i = 0; i < sources.count(target); i++) {
        int row = sources.row(target, i);
        int source = steps.get(row, 1);
        if (counts.contains(COUNTS[steps.get(row, 2)])
            && within.get(source)
            && !leading.get(source)) {
          leading.set(source);
          pending[size++] = source;
        }
      }
    }
    return leading;
  }
}
