package dev.sparkmla.grammar;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;

/**
 * Answers of a model without any knowledge: each token is one of those that lead on. What closes a
 * bracket or a string is tried more often, so that answers end.
 */
final class RandomWalk {
  private static final int MOST_TOKENS = 4_000;

  private final ByteAutomaton automaton;
  private final TokenBytes vocabulary;
  private final Random random;

  RandomWalk(ByteAutomaton automaton, TokenBytes vocabulary, Random random) {
    this.automaton = automaton;
    this.vocabulary = vocabulary;
    this.random = random;
  }

  /**
   * One answer.
   *
   * @return empty when it has too many tokens
   * @throws AssertionError when no token leads on
   */
  Optional<String> answer() {
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    long position = automaton.start();
    for (int i = 0; i < MOST_TOKENS; i++) {
      boolean mayEnd = automaton.accepts(position);
      int token = mayEnd && random.nextInt(4) == 0 ? -1 : token(position);
      if (token < 0) {
        if (!mayEnd) {
          throw new AssertionError(
              "no token leads on from '" + answer.toString(StandardCharsets.UTF_8) + "'");
        }
        return Optional.of(answer.toString(StandardCharsets.UTF_8));
      }
      for (int j = 0; j < vocabulary.length(token); j++) {
        answer.write(vocabulary.at(token, j));
      }
      position = automaton.advance(position, vocabulary, token);
    }
    return Optional.empty();
  }

  /** A token that leads on, or -1. */
  private int token(long position) {
    boolean closing = random.nextInt(3) == 0;
    int first = random.nextInt(vocabulary.vocabulary());
    int other = -1;
    for (int i = 0; i < vocabulary.vocabulary(); i++) {
      int token = (first + i) % vocabulary.vocabulary();
      if (automaton.advance(position, vocabulary, token) != ByteAutomaton.DEAD) {
        if (!closing || closes(token)) {
          return token;
        }
        other = other < 0 ? token : other;
      }
    }
    return other;
  }

  private boolean closes(int token) {
    return "\"}]".indexOf(vocabulary.at(token, vocabulary.length(token) - 1)) >= 0;
  }
}
