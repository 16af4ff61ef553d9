package dev.sparkmla.compute;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.ByteAutomaton.Action;
import dev.sparkmla.policy.TokenBytes;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;

/** Automata with counters, and vocabularies to spell their answers with, at random. */
public final class RandomAutomata {
  private static final int CLASSES = 5;
  private static final int LETTERS = 12;

  private RandomAutomata() {}

  /** Tokens of 0 to 6 bytes among the first letters, of which one in ten has none. */
  public static TokenBytes vocabulary(int tokens, Random random) {
    int[] offsets = new int[tokens + 1];
    byte[] bytes = new byte[6 * tokens];
    for (int token = 0; token < tokens; token++) {
      int length = random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(6);
      for (int i = 0; i < length; i++) {
        bytes[offsets[token] + i] = (byte) ('a' + random.nextInt(LETTERS));
      }
      offsets[token + 1] = offsets[token] + length;
    }
    return new TokenBytes(offsets, Arrays.copyOf(bytes, offsets[tokens]));
  }

  /** Edges everywhere but in one place of six, counts up to 8; a token may end in most states. */
  public static ByteAutomaton automaton(int states, Random random) {
    byte[] classOf = new byte[256];
    for (int letter = 0; letter < LETTERS; letter++) {
      classOf['a' + letter] = (byte) (letter % CLASSES);
    }
    int[] edges = new int[states * CLASSES];
    for (int i = 0; i < edges.length; i++) {
      Action action = Action.values()[random.nextInt(2) * random.nextInt(3)];
      edges[i] =
          random.nextInt(6) == 0
              ? ByteAutomaton.NO_EDGE
              : ByteAutomaton.edge(random.nextInt(states), action);
    }
    BitSet accepting = new BitSet();
    BitSet resting = new BitSet();
    for (int state = 0; state < states; state++) {
      accepting.set(state, random.nextInt(3) == 0);
      resting.set(state, random.nextInt(5) > 0);
    }
    return new ByteAutomaton(
            classOf,
            edges,
            random.ints(states, 0, 4).toArray(),
            random.ints(states, 3, 9).toArray(),
            accepting)
        .restingIn(resting);
  }

  /** An automaton whose only answer is a text. */
  public static ByteAutomaton only(String text) {
    return choice(text, text);
  }

  /** An automaton with two answers, neither of which begins the other. */
  public static ByteAutomaton choice(String one, String other) {
    byte[] classOf = new byte[256];
    for (int value = 0; value < 256; value++) {
      classOf[value] = (byte) value;
    }
    int states = 1 + one.length() + other.length();
    int[] edges = new int[256 * states];
    Arrays.fill(edges, ByteAutomaton.NO_EDGE);
    BitSet accepting = new BitSet();
    int next = 1;
    for (String text : new String[] {one, other}) {
      int state = 0;
      for (char letter : text.toCharArray()) {
        int edge = edges[256 * state + letter];
        if (edge == ByteAutomaton.NO_EDGE) {
          edge = ByteAutomaton.edge(next++, Action.KEEP);
          edges[256 * state + letter] = edge;
        }
        state = edge;
      }
      accepting.set(state);
    }
    return new ByteAutomaton(classOf, edges, new int[states], new int[states], accepting);
  }
}
