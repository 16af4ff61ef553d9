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

  /**
   * @param what is wrong, with which output; the root cause's message follows it
   * @param cause where it was found: Spark's own messages about tasks say where, and not why
   * @param todo what to do
   */
  static OutputException rooted(String what, Throwable cause, String todo) {
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String why = root.getMessage() == null ? cause.getMessage() : root.getMessage();
    return new OutputException(what + ": " + why + todo, cause);
  }
}
