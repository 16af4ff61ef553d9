package dev.sparkmla.grammar;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.nio.charset.StandardCharsets;

/** Walks automata in tests. */
final class Answers {
  /** A vocabulary with a token for each byte. */
  static final TokenBytes BYTES = bytes();

  private Answers() {}

  private static TokenBytes bytes() {
    int[] offsets = new int[Label.BYTES + 1];
    byte[] bytes = new byte[Label.BYTES];
    for (int i = 0; i < Label.BYTES; i++) {
      bytes[i] = (byte) i;
      offsets[i + 1] = i + 1;
    }
    return new TokenBytes(offsets, bytes);
  }

  /** The automaton of a format. */
  static ByteAutomaton automaton(String format) {
    return ResponseFormat.parse(format, WhiteSpace.COMPACT).automaton(BYTES);
  }

  /** The automaton of an expression. */
  static ByteAutomaton automaton(Expression answer, WhiteSpace whiteSpace) {
    Budget budget = new Budget();
    CountedStrings strings = new CountedStrings(budget);
    return ByteTables.of(
        strings.apart(Layout.ofAnswer(answer, whiteSpace, strings, budget)), strings);
  }

  /** Whether a text is an answer. */
  static boolean accepts(ByteAutomaton automaton, String text) {
    return automaton.accepts(walk(automaton, text));
  }

  /** The position after a text. */
  static long walk(ByteAutomaton automaton, String text) {
    long position = automaton.start();
    for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
      position = automaton.step(position, value);
    }
    return position;
  }
}
