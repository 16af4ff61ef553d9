package dev.sparkmla.jobs.output;

/** Why an output cannot be written or resumed; the message is for the person who named it. */
public final class OutputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what is wrong, with which output, and what to do
   */
  OutputException(String message) {
    super(message);
  }

  /**
   * @param message what is wrong, with which output, and what to do
   * @param cause where it was found
   */
  OutputException(String message, Throwable cause) {
    super(message, cause);
  }
}
