package dev.sparkmla.grammar;

/**
 * A response format that cannot be used. The message names the part that is not supported, by the
 * JSON pointer of a schema's keyword, and says what is.
 */
public final class InvalidResponseFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message which part is wrong, and what is supported
   */
  public InvalidResponseFormatException(String message) {
    super(message);
  }

  InvalidResponseFormatException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Names a place of a schema, as a JSON pointer. */
  static InvalidResponseFormatException at(String pointer, String problem) {
    return new InvalidResponseFormatException("the response format's #" + pointer + " " + problem);
  }
}
