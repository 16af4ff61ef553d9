package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationError;

/** Ends one row with an error result; it never leaves the engine. */
final class RowErrorException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;

  RowErrorException(ErrorCode code, String message) {
    super(message);
    this.code = code;
  }

  /** What the row's result says. */
  GenerationError error() {
    return new GenerationError(code, getMessage());
  }
}
