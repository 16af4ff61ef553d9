package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Page-locked host memory: copies from and to it run beside other work, at the bus's full rate. One
 * thread at a time.
 */
public final class PinnedBuffer implements AutoCloseable {
  private static final String KIND = "pinned buffers";

  private final CudaContext context;
  private final Pointer memory = new Pointer();
  private final ByteBuffer bytes;
  private boolean closed;

  private PinnedBuffer(CudaContext context, int size) {
    this.context = context;
    context.makeCurrent();
    context.check(
        JCudaDriver.cuMemAllocHost(memory, size), "cuMemAllocHost of %d bytes".formatted(size));
    this.bytes = memory.getByteBuffer(0, size);
    context.opened(KIND);
  }

  /**
   * Allocates page-locked memory; what it holds is undefined.
   *
   * @param size in bytes, at least 1
   * @throws CudaException where there is not enough
   */
  public static PinnedBuffer allocate(CudaContext context, int size) {
    CudaArgumentException.require(size >= 1, "a buffer needs at least 1 byte, not %d", size);
    return new PinnedBuffer(context, size);
  }

  /** Its bytes in the machine's order, from 0 to its size; each call gives a view of its own. */
  public ByteBuffer bytes() {
    requireOpen();
    return bytes.duplicate().clear().order(ByteOrder.nativeOrder());
  }

  Pointer pointer(long offset, long count) {
    requireOpen();
    CudaArgumentException.require(
        offset >= 0 && count >= 0 && offset <= bytes.capacity() - count,
        "%d bytes at offset %d of a pinned buffer of %d",
        count,
        offset,
        bytes.capacity());
    return memory.withByteOffset(offset);
  }

  /**
   * Frees the memory; copies from and to it must be done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    requireOpen();
    closed = true;
    context.closed(KIND);
    context.makeCurrent();
    context.check(JCudaDriver.cuMemFreeHost(memory), "cuMemFreeHost");
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the pinned buffer is closed");
    }
  }
}
