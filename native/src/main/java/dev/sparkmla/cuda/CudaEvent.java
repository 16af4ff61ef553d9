package dev.sparkmla.cuda;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** A point in a stream's work that can be waited for, with the time it was reached. */
public final class CudaEvent implements AutoCloseable {
  private static final String KIND = "events";

  private final CudaContext context;
  private final CUevent handle = new CUevent();
  private boolean closed;

  CudaEvent(CudaContext context) {
    this.context = context;
    context.makeCurrent();
    context.check(
        JCudaDriver.cuEventCreate(handle, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate");
    context.opened(KIND);
  }

  /** Marks the point after everything enqueued on {@code stream} so far. */
  public void record(CudaStream stream) {
    CUevent event = handle();
    context.makeCurrent();
    context.check(JCudaDriver.cuEventRecord(event, stream.handle()), "cuEventRecord");
  }

  /** Waits until the point last recorded is reached. */
  public void synchronize() {
    CUevent event = handle();
    context.makeCurrent();
    context.check(JCudaDriver.cuEventSynchronize(event), "cuEventSynchronize");
  }

  /**
   * Milliseconds on the device between two recorded points, resolved to about half a microsecond.
   * Both must have been reached.
   */
  public float millisecondsSince(CudaEvent earlier) {
    CUevent event = handle();
    context.makeCurrent();
    float[] milliseconds = new float[1];
    context.check(
        JCudaDriver.cuEventElapsedTime(milliseconds, earlier.handle(), event),
        "cuEventElapsedTime");
    return milliseconds[0];
  }

  CUevent handle() {
    if (closed) {
      throw new IllegalStateException("the event is closed");
    }
    return handle;
  }

  /**
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    CUevent event = handle();
    context.makeCurrent();
    closed = true;
    context.closed(KIND);
    context.check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy");
  }
}
