package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.policy.TokenBytes;
import dev.sparkmla.text.TextFormatException;
import dev.sparkmla.text.Tokenizer;
import java.nio.charset.StandardCharsets;

/**
 * What each of a model's tokens adds to a text. The bytes of all are made when one is first asked
 * for, which takes a moment. Thread-safe; it uses the tokenizer.
 */
final class Vocabulary {
  private final Tokenizer tokenizer;
  private final int size;
  private TokenBytes bytes;

  /**
   * @param size of the model's vocabulary, at least the tokenizer's
   */
  Vocabulary(Tokenizer tokenizer, int size) {
    this.tokenizer = tokenizer;
    this.size = size;
  }

  /**
   * The bytes of all tokens, always the same object.
   *
   * @throws RowErrorException where the model's tokens have no bytes of their own
   */
  synchronized TokenBytes bytes() {
    if (bytes == null) {
      try {
        bytes = tokenizer.tokenBytes(size);
      } catch (TextFormatException problem) {
        throw new RowErrorException(
            ErrorCode.INVALID_PARAMETER,
            "response_format and logprobs need the bytes of tokens: " + problem.getMessage());
      }
    }
    return bytes;
  }

  /** The text of a token alone, with U+FFFD for bytes that are no whole character. */
  String text(int token) {
    TokenBytes all = bytes();
    if (all.length(token) == 0) {
      return tokenizer.spelled(token);
    }
    byte[] own = new byte[all.length(token)];
    for (int i = 0; i < own.length; i++) {
      own[i] = all.at(token, i);
    }
    return new String(own, StandardCharsets.UTF_8);
  }
}
