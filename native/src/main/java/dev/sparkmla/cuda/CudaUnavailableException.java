package dev.sparkmla.cuda;

/** This host, device or build of the library cannot run what was asked, whatever the arguments. */
public final class CudaUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What is missing. */
  public enum Reason {
    /** No CUDA driver on this host, or one too old, or a platform that has none. */
    NO_DRIVER,
    /** There is a driver, but no device that this process may see. */
    NO_DEVICE,
    /** The jar was built without the native library, or it cannot be loaded. */
    NO_LIBRARY,
    /** The device is not of compute capability 9.0. */
    UNSUPPORTED_DEVICE,
    /** cuBLASLt is not on the loader's path. */
    NO_CUBLASLT
  }

  private final Reason reason;

  CudaUnavailableException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** What is missing. */
  public Reason reason() {
    return reason;
  }
}
