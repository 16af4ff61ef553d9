package dev.sparkmla.cuda;

/** A call of the CUDA driver, of a kernel or of cuBLASLt failed. */
public class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String call;
  private final int code;

  /**
   * @param call the native function that failed
   * @param code its result, not 0
   * @param reason the result's name and meaning
   * @param device the device it ran on, or null where none is involved
   */
  CudaException(String call, int code, String reason, GpuDevice device) {
    super(
        "%s failed with %d (%s)%s"
            .formatted(call, code, reason, device == null ? "" : " on " + device));
    this.call = call;
    this.code = code;
  }

  /** The native function that failed. */
  public String call() {
    return call;
  }

  /** Its result: a CUresult or cudaError_t number, or a cublasStatus_t for cublasLt calls. */
  public int code() {
    return code;
  }
}
