package dev.sparkmla.policy;

import java.util.OptionalInt;

/**
 * What a row's output is held to: an automaton's answers, spelled by a vocabulary's tokens. A token
 * can be chosen where its bytes lead on, and one that ends the row also where the automaton
 * accepts. Immutable and thread-safe.
 *
 * <p>A position is one of the automaton's, or {@link #UNARMED}.
 *
 * @param automaton the answers
 * @param vocabulary the bytes of the model's tokens, the same object for all constraints of a model
 * @param after the token that the answer begins after; everything but the row's end can be chosen
 *     before. Empty where it begins with the output
 */
public record Constraint(ByteAutomaton automaton, TokenBytes vocabulary, OptionalInt after) {
  /** The position before the answer has begun. */
  public static final long UNARMED = ByteAutomaton.position(-2, 0);

  private static final int BYTES = 256;

  /** The position before the output's first token. */
  public long start() {
    return after.isPresent() ? UNARMED : automaton.start();
  }

  /** The position after a token; {@link ByteAutomaton#DEAD} where it cannot be chosen. */
  public long advance(long position, int token) {
    if (position == UNARMED) {
      return token == after.orElseThrow() ? automaton.start() : UNARMED;
    }
    return automaton.advance(position, vocabulary, token);
  }

  /**
   * Whether a token can be chosen: its bytes lead on, or it ends the row where an answer may end.
   *
   * @param ends whether it is one that ends the row
   */
  public boolean admits(long position, int token, boolean ends) {
    return advance(position, token) != ByteAutomaton.DEAD || (ends && mayEnd(position));
  }

  /** Whether a token that ends the row can be chosen. */
  public boolean mayEnd(long position) {
    return position != UNARMED && automaton.accepts(position);
  }

  /** Whether the answer is whole and no byte may follow. */
  public boolean isOver(long position) {
    if (!mayEnd(position)) {
      return false;
    }
    for (int value = 0; value < BYTES; value++) {
      if (automaton.step(position, value) != ByteAutomaton.DEAD) {
        return false;
      }
    }
    return true;
  }
}
