package dev.sparkmla.cuda;

/**
 * A CUDA call failed in a way that leaves the device context unusable: every later call in this
 * process fails too, memory cannot be read back, and only a new process helps.
 */
public final class CudaFatalException extends CudaException {
  private static final long serialVersionUID = 1L;

  CudaFatalException(String call, int code, String reason, GpuDevice device) {
    super(call, code, reason + "; the CUDA context is lost, start a new process", device);
  }
}
