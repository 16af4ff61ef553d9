package dev.sparkmla.compute;

/**
 * Something that a backend cannot compute, for the lack of memory mostly, or for sizes that it has
 * no kernels for. The device goes on; where it does not, that is a {@link DeviceLostException}.
 */
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
