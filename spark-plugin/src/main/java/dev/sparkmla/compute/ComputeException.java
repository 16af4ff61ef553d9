package dev.sparkmla.compute;

/** A backend that cannot be had, cannot get memory, or computed what is not a number. */
public final class ComputeException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Says what was wrong, which value, what to do. */
  public ComputeException(String message) {
    super(message);
  }

  /** The same, with what caused it. */
  public ComputeException(String message, Throwable cause) {
    super(message, cause);
  }
}
