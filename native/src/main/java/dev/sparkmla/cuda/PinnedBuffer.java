package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Page-locked host memory: copies from and to it run at the full rate of the bus, while the
 * processor and the device do other work. One thread at a time. Copies from and to it must be done
 * when it is closed.
 */
public final class PinnedBuffer extends ContextResource {
  private final Pointer memory;
  private final ByteBuffer bytes;

  /**
   * @param memory what to free; null where the bytes are the caller's
   */
  private PinnedBuffer(CudaContext context, Pointer memory, ByteBuffer bytes) {
    super(context, "pinned buffer");
    this.memory = memory;
    this.bytes = bytes;
  }

  /**
   * Allocates page-locked memory; what it holds is undefined.
   *
   * @param size in bytes, at least 1
   * @throws CudaException where there is not enough
   */
  public static PinnedBuffer allocate(CudaContext context, int size) {
    CudaArgumentException.require(size >= 1, "a buffer needs at least 1 byte, not %d", size);
    Pointer memory = new Pointer();
    context.call(
        "cuMemAllocHost of %d bytes".formatted(size),
        () -> JCudaDriver.cuMemAllocHost(memory, size));
    return new PinnedBuffer(context, memory, memory.getByteBuffer(0, size));
  }

  /** Over memory of the caller's: for tests, which never reach the driver. */
  static PinnedBuffer over(CudaContext context, ByteBuffer bytes) {
    return new PinnedBuffer(context, null, bytes);
  }

  /** A new view of all its bytes, in the machine's byte order. */
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

  @Override
  void release() {
    if (memory != null) {
      context().call("cuMemFreeHost", () -> JCudaDriver.cuMemFreeHost(memory));
    }
  }
}
