package dev.sparkmla.cuda;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/**
 * A point in a stream's work that can be waited for, with the time at which it was reached. One
 * thread at a time.
 */
public final class CudaEvent extends ContextResource {
  private final CUevent handle;

  private CudaEvent(CudaContext context, CUevent handle) {
    super(context, "event");
    this.handle = handle;
  }

  static CudaEvent create(CudaContext context) {
    CUevent handle = new CUevent();
    context.call(
        "cuEventCreate", () -> JCudaDriver.cuEventCreate(handle, CUevent_flags.CU_EVENT_DEFAULT));
    return new CudaEvent(context, handle);
  }

  /** Marks the point after everything enqueued on {@code stream} so far. */
  public void record(CudaStream stream) {
    call("cuEventRecord", () -> JCudaDriver.cuEventRecord(handle, stream.handle()));
  }

  /** Waits until the point last recorded is reached. */
  public void synchronize() {
    call("cuEventSynchronize", () -> JCudaDriver.cuEventSynchronize(handle));
  }

  /**
   * Milliseconds on the device between two recorded points, with a resolution of about half a
   * microsecond. Both must have been reached.
   */
  public float millisecondsSince(CudaEvent earlier) {
    float[] milliseconds = new float[1];
    call(
        "cuEventElapsedTime",
        () -> JCudaDriver.cuEventElapsedTime(milliseconds, earlier.handle(), handle));
    return milliseconds[0];
  }

  CUevent handle() {
    requireOpen();
    return handle;
  }

  @Override
  void release() {
    context().call("cuEventDestroy", () -> JCudaDriver.cuEventDestroy(handle));
  }
}
