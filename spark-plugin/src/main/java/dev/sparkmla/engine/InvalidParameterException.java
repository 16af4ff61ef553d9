package dev.sparkmla.engine;

import dev.sparkmla.grammar.InvalidResponseFormatException;

/** A generation parameter that is unknown, cannot be read, or is out of its range. */
public final class InvalidParameterException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message the parameter, its value, and what is allowed
   */
  public InvalidParameterException(String message) {
    super(message);
  }

  /** Of a response format that cannot be used. */
  static InvalidParameterException of(InvalidResponseFormatException problem) {
    return new InvalidParameterException(
        "response_format cannot be used: " + problem.getMessage() + ".");
  }
}
