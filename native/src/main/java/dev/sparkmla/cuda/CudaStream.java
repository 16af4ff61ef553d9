package dev.sparkmla.cuda;

import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * A queue of work on a device, done in order. One thread at a time. Work that is still enqueued
 * when a stream is closed is done nevertheless.
 */
public final class CudaStream extends ContextResource {
  /** JCuda hides native addresses; a subclass can read them. */
  static final class Handle extends CUstream {
    long value() {
      return getNativePointer();
    }
  }

  private final Handle handle;

  private CudaStream(CudaContext context, Handle handle) {
    super(context, "stream");
    this.handle = handle;
  }

  static CudaStream create(CudaContext context) {
    Handle handle = new Handle();
    context.call(
        "cuStreamCreate",
        () -> JCudaDriver.cuStreamCreate(handle, CUstream_flags.CU_STREAM_NON_BLOCKING));
    return new CudaStream(context, handle);
  }

  /** Waits until everything enqueued so far is done; an error of any of it is thrown here. */
  public void synchronize() {
    call("cuStreamSynchronize", () -> JCudaDriver.cuStreamSynchronize(handle));
  }

  /** Makes what is enqueued from now on wait for the last recording of {@code event}. */
  public void waitFor(CudaEvent event) {
    call("cuStreamWaitEvent", () -> JCudaDriver.cuStreamWaitEvent(handle, event.handle(), 0));
  }

  /** The driver's handle (a CUstream) as a number, for native code. */
  public long address() {
    return handle().value();
  }

  Handle handle() {
    requireOpen();
    return handle;
  }

  @Override
  void release() {
    context().call("cuStreamDestroy", () -> JCudaDriver.cuStreamDestroy(handle));
  }
}
