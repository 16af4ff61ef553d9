package dev.sparkmla.engine;

/** A generation parameter that is unknown, cannot be read, or is out of its range. */
public final class InvalidParameterException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message the parameter, its value, and what is allowed
   */
  public InvalidParameterException(String message) {
    super(message);
  }
}
