package dev.sparkmla.jobs.input;

/** Why an input cannot be used; the message is for the person who named it. */
public final class InputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what is wrong, in which file and column, and what to do
   */
  public InputException(String message) {
    super(message);
  }

  /**
   * @param message what is wrong, in which file and column, and what to do
   * @param cause where it was found
   */
  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
