package dev.sparkmla.jobs;

/** Why a job cannot do what it was asked; the message is for the person who asked. */
public final class JobException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what was wrong, with the value, and what to do
   */
  public JobException(String message) {
    super(message);
  }

  /**
   * @param message what was wrong, with the value, and what to do
   * @param cause where it was found
   */
  public JobException(String message, Throwable cause) {
    super(message, cause);
  }
}
