package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * A device's memory without a device: buffers that can be divided and counted, not read or written.
 * It runs out when it is told to.
 */
public final class FakeMemory {
  private final CudaContext context =
      new CudaContext(
          new GpuDevice(0, "no device", new ComputeCapability(9, 0), 1L << 37, 132, new UUID(1, 2)),
          null);
  private long next = 1L << 20;
  private int allocationsLeft = Integer.MAX_VALUE;

  /** Lets so many allocations succeed and all later ones fail. */
  public void failAfter(int allocations) {
    allocationsLeft = allocations;
  }

  /** Bytes of the device. */
  public DeviceBuffer device(long bytes) {
    allocate(bytes);
    long address = next;
    next += (bytes + 511) / 512 * 512;
    return DeviceBuffer.borrow(context, address, bytes);
  }

  /** Bytes of the host. */
  public PinnedBuffer pinned(int bytes) {
    allocate(bytes);
    return PinnedBuffer.over(context, ByteBuffer.allocate(bytes));
  }

  private void allocate(long bytes) {
    if (allocationsLeft == 0) {
      throw failure("allocation of " + bytes + " bytes");
    }
    allocationsLeft--;
  }

  /** A failure after which the device can still be used. */
  public static CudaException failure(String call) {
    return new CudaException(call, 2, "CUDA_ERROR_OUT_OF_MEMORY", null);
  }

  /** A failure after which it cannot. */
  public static CudaException fatalFailure(String call) {
    return new CudaFatalException(call, 700, "CUDA_ERROR_ILLEGAL_ADDRESS", null);
  }

  /** Number of buffers that are open. */
  public int openBuffers() {
    return context.openResources();
  }
}
