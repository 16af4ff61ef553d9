package dev.sparkmla.compute;

/**
 * The device answers every call with an error from now on (a sticky error, in CUDA's terms): the
 * process has to end for it to be usable again. What is less than that is a {@link
 * ComputeException}.
 */
public final class DeviceLostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Says what the device answered, and what to do. */
  public DeviceLostException(String message, Throwable cause) {
    super(message, cause);
  }
}
