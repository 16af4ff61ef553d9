package dev.sparkmla.policy;

import java.util.BitSet;

/**
 * A deterministic automaton over bytes with one counter: the texts that a constrained answer may
 * have. Bytes that no edge tells apart share a class, so a state is a row of {@link #classes()}
 * edges. The counter bounds the characters of a string, so that a string of at most 1,000
 * characters costs some twenty states instead of thousands. Strings do not nest, so one counter is
 * enough.
 *
 * <p>A <em>position</em> is a state and the counter's value, packed as {@code state << 32 | count}.
 * The first position is state 0 with count 0. An edge says what the counter does ({@link Action}).
 *
 * <p>An answer is made of tokens, and a token may end in the middle of a character or a word. Where
 * the vocabulary lacks the tokens to go on from there, the answer would be stuck: {@link #mayRest}
 * says where a token may end.
 *
 * <p>Immutable and thread-safe.
 */
public final class ByteAutomaton {
  /** What {@link #step} and {@link #advance} return where no answer goes on. */
  public static final long DEAD = -1;

  /** The entry of {@link #edges()} where no edge is. */
  public static final int NO_EDGE = -1;

  /** An edge is {@code target | action << ACTION_SHIFT}, the action by its ordinal. */
  public static final int ACTION_SHIFT = 24;

  /** The most states. */
  public static final int MOST_STATES = 1 << 20;

  /** The most edges, states times classes: 16 MiB. */
  public static final int MOST_EDGES = 1 << 22;

  private static final int BYTES = 256;
  private static final int TARGET_MASK = (1 << ACTION_SHIFT) - 1;

  /** What an edge does to the counter. Their ordinals are known to kernels. */
  public enum Action {
    /** Leaves the counter as it is. */
    KEEP,
    /**
     * Adds one, on the byte that begins a character. The edge may be taken only if the new count is
     * at most the target's {@link ByteAutomaton#most()}.
     */
    COUNT,
    /**
     * Sets it to 0, at the string's end. The edge may be taken only if the count is at least the
     * {@link ByteAutomaton#least()} of the state that it leaves.
     */
    LEAVE
  }

  private static final Action[] ACTIONS = Action.values();

  private final int states;
  private final int classes;
  private final byte[] classOf;
  private final int[] edges;
  private final int[] least;
  private final int[] most;
  private final BitSet accepting;
  private final BitSet resting;

  /**
   * Makes an automaton in all of whose states a token may end.
   *
   * @param classOf [256], the class of each byte as an unsigned number; the classes are 0 to the
   *     largest
   * @param edges [states, classes], row-major: {@link #edge} or {@link #NO_EDGE}
   * @param least [states], the count that a {@link Action#LEAVE} edge from the state needs
   * @param most [states], the largest count that a {@link Action#COUNT} edge to the state may lead
   *     to
   * @param accepting the states in which an answer may end
   * @throws IllegalArgumentException naming what does not fit
   */
  public ByteAutomaton(byte[] classOf, int[] edges, int[] least, int[] most, BitSet accepting) {
    this(
        classOf.clone(),
        edges.clone(),
        least.clone(),
        most.clone(),
        (BitSet) accepting.clone(),
        allOf(least.length));
    check();
  }

  /** Takes arrays that nobody else writes to. */
  private ByteAutomaton(
      byte[] classOf, int[] edges, int[] least, int[] most, BitSet accepting, BitSet resting) {
    this.states = least.length;
    this.classes = largest(classOf) + 1;
    this.classOf = classOf;
    this.edges = edges;
    this.least = least;
    this.most = most;
    this.accepting = accepting;
    this.resting = resting;
  }

  private static BitSet allOf(int states) {
    BitSet all = new BitSet(states);
    all.set(0, states);
    return all;
  }

  private static int largest(byte[] classOf) {
    int largest = 0;
    for (byte value : classOf) {
      largest = Math.max(largest, value & 0xFF);
    }
    return largest;
  }

  private void check() {
    require(classOf.length == BYTES, "classOf has %d entries; expected 256", classOf.length);
    require(states >= 1 && states <= MOST_STATES, "%d states; expected 1 to 2^20", states);
    require(most.length == states, "most has %d entries; expected %d", most.length, states);
    require(
        edges.length == (long) states * classes && edges.length <= MOST_EDGES,
        "%d edges; expected %d states x %d classes, at most 2^22",
        edges.length,
        states,
        classes);
    require(
        accepting.length() <= states,
        "state %d accepts; expected a state below %d",
        accepting.length() - 1,
        states);
    for (int edge : edges) {
      require(
          edge == NO_EDGE
              || (edge >= 0
                  && (edge & TARGET_MASK) < states
                  && edge >>> ACTION_SHIFT < ACTIONS.length),
          "edge %#x; expected a state below %d and an action below %d",
          edge,
          states,
          ACTIONS.length);
    }
    for (int state = 0; state < states; state++) {
      require(
          least[state] >= 0 && most[state] >= 0,
          "state %d has the counts %d to %d; expected none below 0",
          state,
          least[state],
          most[state]);
    }
  }

  @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency of its own
  private static void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new IllegalArgumentException(String.format(format, values));
    }
  }

  /** An edge to a state, as {@link #edges()} holds it. */
  public static int edge(int target, Action action) {
    return target | action.ordinal() << ACTION_SHIFT;
  }

  /** The position of a state and a count. */
  public static long position(int state, int count) {
    return (long) state << 32 | count;
  }

  /** The state of a position. */
  public static int state(long position) {
    return (int) (position >>> 32);
  }

  /** The counter's value at a position. */
  public static int count(long position) {
    return (int) position;
  }

  /**
   * The same automaton, in which a token may end in the given states alone.
   *
   * @throws IllegalArgumentException when one is no state
   */
  public ByteAutomaton restingIn(BitSet resting) {
    require(
        resting.length() <= states,
        "a token may end in state %d; expected a state below %d",
        resting.length() - 1,
        states);
    return new ByteAutomaton(classOf, edges, least, most, accepting, (BitSet) resting.clone());
  }

  /** The position before an answer's first byte. */
  public long start() {
    return position(0, 0);
  }

  /**
   * The position after one more byte.
   *
   * @param position one of this automaton, or {@link #DEAD}
   * @param value the byte, of which the lowest 8 bits are read
   * @return {@link #DEAD} where no answer goes on so
   */
  public long step(long position, int value) {
    if (position == DEAD) {
      return DEAD;
    }
    int state = state(position);
    int edge = edges[state * classes + (classOf[value & 0xFF] & 0xFF)];
    if (edge == NO_EDGE) {
      return DEAD;
    }
    int target = edge & TARGET_MASK;
    int count = count(position);
    return switch (ACTIONS[edge >>> ACTION_SHIFT]) {
      case KEEP -> position(target, count);
      case COUNT -> count < most[target] ? position(target, count + 1) : DEAD;
      case LEAVE -> count >= least[state] ? position(target, 0) : DEAD;
    };
  }

  /**
   * The position after a token, which may be chosen only if there is one.
   *
   * @param position one of this automaton, or {@link #DEAD}
   * @param token an id of the vocabulary
   * @return {@link #DEAD} where the token has no bytes, no answer goes on with them, or the
   *     vocabulary could not go on after them
   */
  public long advance(long position, TokenBytes vocabulary, int token) {
    int length = vocabulary.length(token);
    if (length == 0) {
      return DEAD;
    }
    long reached = position;
    for (int i = 0; i < length && reached != DEAD; i++) {
      reached = step(reached, vocabulary.at(token, i));
    }
    return reached != DEAD && mayRest(reached) ? reached : DEAD;
  }

  /** Whether an answer may end at a position. */
  public boolean accepts(long position) {
    return position != DEAD && accepting.get(state(position));
  }

  /**
   * Whether a token may end at a position: from there the vocabulary that the automaton was made
   * for leads to an end.
   */
  public boolean mayRest(long position) {
    return position != DEAD && resting.get(state(position));
  }

  /** The number of states. */
  public int states() {
    return states;
  }

  /** The number of classes of bytes, 1 to 256. */
  public int classes() {
    return classes;
  }

  /** A copy of the class of each byte, [256], unsigned. */
  public byte[] classOf() {
    return classOf.clone();
  }

  /** A copy of the edges, [states, classes] row-major: see {@link #edge} and {@link #NO_EDGE}. */
  public int[] edges() {
    return edges.clone();
  }

  /** A copy of the least count with which a {@link Action#LEAVE} edge leaves a state, [states]. */
  public int[] least() {
    return least.clone();
  }

  /** A copy of the most that a {@link Action#COUNT} edge to a state may count, [states]. */
  public int[] most() {
    return most.clone();
  }

  /** A copy of the states in which an answer may end. */
  public BitSet accepting() {
    return (BitSet) accepting.clone();
  }

  /** A copy of the states in which a token may end. */
  public BitSet resting() {
    return (BitSet) resting.clone();
  }
}
