package dev.sparkmla.cuda;

import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A queue of work on a device, done in order. One thread at a time. */
public final class CudaStream implements AutoCloseable {
  private static final String KIND = "streams";

  /** JCuda keeps addresses to itself; a subclass may look. */
  private static final class Handle extends CUstream {
    long value() {
      return getNativePointer();
    }
  }

  private final CudaContext context;
  private final Handle handle;
  private boolean closed;

  CudaStream(CudaContext context) {
    this.context = context;
    context.makeCurrent();
    handle = new Handle();
    context.check(
        JCudaDriver.cuStreamCreate(handle, CUstream_flags.CU_STREAM_NON_BLOCKING),
        "cuStreamCreate");
    context.opened(KIND);
  }

  /** The context it belongs to. */
  public CudaContext context() {
    return context;
  }

  /** Waits until everything enqueued so far is done; an error of any of it is thrown here. */
  public void synchronize() {
    CUstream stream = handle();
    context.makeCurrent();
    context.check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }

  /** Makes what is enqueued from now on wait for the last recording of {@code event}. */
  public void waitFor(CudaEvent event) {
    CUstream stream = handle();
    context.makeCurrent();
    context.check(JCudaDriver.cuStreamWaitEvent(stream, event.handle(), 0), "cuStreamWaitEvent");
  }

  /** The driver's handle (a CUstream) as a number, for native code. */
  public long address() {
    handle();
    return handle.value();
  }

  CUstream handle() {
    if (closed) {
      throw new IllegalStateException("the stream is closed");
    }
    return handle;
  }

  /**
   * Gives the stream back; work enqueued on it is still done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    CUstream stream = handle();
    context.makeCurrent();
    closed = true;
    context.closed(KIND);
    context.check(JCudaDriver.cuStreamDestroy(stream), "cuStreamDestroy");
  }
}
