package dev.sparkmla.plugin.location;

/**
 * A model that cannot be had on this host: the message names where it should be, what is wrong
 * there, and what to do.
 */
public final class ModelUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Says so. */
  public ModelUnavailableException(String message) {
    super(message);
  }

  /** Says so, and what came first. */
  public ModelUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
