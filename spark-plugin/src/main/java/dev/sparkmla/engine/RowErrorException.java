package dev.sparkmla.engine;

/** Ends one row with an error result; it never leaves the engine. */
final class RowErrorException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;

  RowErrorException(ErrorCode code, String message) {
    super(message);
    this.code = code;
  }

  ErrorCode code() {
    return code;
  }
}
