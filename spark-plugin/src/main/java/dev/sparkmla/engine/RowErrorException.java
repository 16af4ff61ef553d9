package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;

/** Ends one row with an error result; it never leaves the engine. */
final class RowErrorException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;
  private final int promptTokens;

  /** Of a row whose prompt's tokens are not counted. */
  RowErrorException(ErrorCode code, String message) {
    this(code, message, 0);
  }

  /**
   * @param promptTokens how many tokens the row's prompt has
   */
  RowErrorException(ErrorCode code, String message, int promptTokens) {
    super(message);
    this.code = code;
    this.promptTokens = promptTokens;
  }

  /** The row's result. */
  GenerationResult result() {
    return GenerationResult.refused(error(), promptTokens);
  }

  /** What the row's result says. */
  GenerationError error() {
    return new GenerationError(code, getMessage());
  }
}
