package dev.sparkmla.cuda;

/** An argument was refused before anything was launched; the message names it and its value. */
public final class CudaArgumentException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  CudaArgumentException(String message) {
    super(message);
  }

  /** Throws with the formatted message unless {@code condition} holds. */
  static void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new CudaArgumentException(String.format(format, values));
    }
  }
}
