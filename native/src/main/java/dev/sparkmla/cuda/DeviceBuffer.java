package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.util.Objects;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/**
 * A range of device memory. Closing frees it where it was allocated, and does nothing to it where
 * it was borrowed; work that uses it must be done then. One thread at a time.
 *
 * <p>Copies and fills are ordered on the stream that they are given. Copies between the device and
 * a {@link ByteBuffer} return when they are done; the others only enqueue.
 */
public final class DeviceBuffer extends ContextResource {
  /** Bytes of a Java array are copied through a direct buffer of this size. */
  private static final int STAGING_BYTES = 4 << 20;

  /** JCuda hides native addresses; a subclass can read them. */
  private static final class Address extends CUdeviceptr {
    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  private final Address owned;
  private final long address;
  private final long bytes;

  /**
   * @param owned what to free, null where the memory is borrowed
   */
  private DeviceBuffer(CudaContext context, Address owned, long address, long bytes) {
    super(context, "buffer");
    this.owned = owned;
    this.address = address;
    this.bytes = bytes;
  }

  static DeviceBuffer allocate(CudaContext context, long bytes) {
    CudaArgumentException.require(bytes >= 1, "a buffer needs at least 1 byte, not %d", bytes);
    Address address = new Address();
    context.call(
        "cuMemAlloc of %d bytes".formatted(bytes), () -> JCudaDriver.cuMemAlloc(address, bytes));
    context.countAllocation(bytes);
    return new DeviceBuffer(context, address, address.value(), bytes);
  }

  /**
   * Stands for memory that somebody else owns and does not free while this object is used.
   *
   * @param address a device address of the context's device, not 0
   * @param bytes its size, at least 1
   */
  public static DeviceBuffer borrow(CudaContext context, long address, long bytes) {
    CudaArgumentException.require(address != 0, "a borrowed buffer needs an address, not 0");
    CudaArgumentException.require(bytes >= 1, "a buffer needs at least 1 byte, not %d", bytes);
    return new DeviceBuffer(context, null, address, bytes);
  }

  /** The device address of its first byte. */
  public long address() {
    requireOpen();
    return address;
  }

  /** Its size. */
  public long bytes() {
    return bytes;
  }

  /**
   * The whole buffer from its first byte on as a contiguous tensor; see {@link DeviceTensor#of}.
   */
  public DeviceTensor tensor(ElementType type, long... shape) {
    return DeviceTensor.of(this, 0, type, shape);
  }

  /**
   * Copies the remaining bytes of {@code source} to {@code offset}. Its position stays.
   *
   * @throws CudaArgumentException where they do not fit
   */
  public void copyFromHost(long offset, ByteBuffer source, CudaStream stream) {
    requireRange(offset, source.remaining(), "copy from the host");
    requireSameContext(stream);
    ByteBuffer rest = source.duplicate();
    if (rest.isDirect()) {
      copyFromDirect(offset, rest, stream);
      return;
    }
    ByteBuffer staging = ByteBuffer.allocateDirect(Math.min(STAGING_BYTES, rest.remaining()));
    for (long at = offset; rest.hasRemaining(); at += staging.limit()) {
      int size = Math.min(staging.capacity(), rest.remaining());
      staging.clear().put(rest.slice().limit(size)).flip();
      rest.position(rest.position() + size);
      copyFromDirect(at, staging, stream);
    }
  }

  private void copyFromDirect(long offset, ByteBuffer source, CudaStream stream) {
    call(
        "cuMemcpyHtoDAsync",
        () ->
            JCudaDriver.cuMemcpyHtoDAsync(
                pointer(offset), Pointer.toBuffer(source), source.remaining(), stream.handle()));
    stream.synchronize();
  }

  /**
   * Copies bytes from {@code offset} into the remaining space of {@code target}, all of it. Its
   * position stays.
   *
   * @throws CudaArgumentException where the buffer ends before that
   */
  public void copyToHost(long offset, ByteBuffer target, CudaStream stream) {
    requireRange(offset, target.remaining(), "copy to the host");
    requireSameContext(stream);
    ByteBuffer rest = target.duplicate();
    if (rest.isDirect()) {
      copyToDirect(offset, rest, stream);
      return;
    }
    ByteBuffer staging = ByteBuffer.allocateDirect(Math.min(STAGING_BYTES, rest.remaining()));
    for (long at = offset; rest.hasRemaining(); at += staging.limit()) {
      staging.clear().limit(Math.min(staging.capacity(), rest.remaining()));
      copyToDirect(at, staging, stream);
      rest.put(staging.duplicate());
    }
  }

  private void copyToDirect(long offset, ByteBuffer target, CudaStream stream) {
    call(
        "cuMemcpyDtoHAsync",
        () ->
            JCudaDriver.cuMemcpyDtoHAsync(
                Pointer.toBuffer(target), pointer(offset), target.remaining(), stream.handle()));
    stream.synchronize();
  }

  /**
   * Enqueues a copy of {@code count} bytes from page-locked memory, which must stay as it is until
   * the copy is done.
   *
   * @throws CudaArgumentException where either range lies outside its buffer
   */
  public void copyFromPinned(
      long offset, PinnedBuffer source, long sourceOffset, long count, CudaStream stream) {
    requireRange(offset, count, "copy from the host");
    requireSameContext(stream);
    Pointer host = source.pointer(sourceOffset, count);
    call(
        "cuMemcpyHtoDAsync",
        () -> JCudaDriver.cuMemcpyHtoDAsync(pointer(offset), host, count, stream.handle()));
  }

  /**
   * Enqueues a copy of {@code count} bytes to page-locked memory.
   *
   * @throws CudaArgumentException where either range lies outside its buffer
   */
  public void copyToPinned(
      long offset, PinnedBuffer target, long targetOffset, long count, CudaStream stream) {
    requireRange(offset, count, "copy to the host");
    requireSameContext(stream);
    Pointer host = target.pointer(targetOffset, count);
    call(
        "cuMemcpyDtoHAsync",
        () -> JCudaDriver.cuMemcpyDtoHAsync(host, pointer(offset), count, stream.handle()));
  }

  /**
   * Enqueues a copy of {@code count} bytes from another buffer of the same context.
   *
   * @throws CudaArgumentException where either range lies outside its buffer
   */
  public void copyFromDevice(
      long offset, DeviceBuffer source, long sourceOffset, long count, CudaStream stream) {
    requireRange(offset, count, "copy to the device");
    source.requireRange(sourceOffset, count, "copy from the device");
    requireSameContext(stream);
    CudaArgumentException.require(
        source.context() == context(), "copy from %s to %s", source.context(), context());
    CUdeviceptr from = source.pointer(sourceOffset);
    call(
        "cuMemcpyDtoDAsync",
        () -> JCudaDriver.cuMemcpyDtoDAsync(pointer(offset), from, count, stream.handle()));
  }

  /**
   * Enqueues setting {@code count} bytes to one value.
   *
   * @throws CudaArgumentException where the range lies outside the buffer
   */
  public void fill(long offset, long count, byte value, CudaStream stream) {
    requireRange(offset, count, "fill");
    requireSameContext(stream);
    call(
        "cuMemsetD8Async",
        () -> JCudaDriver.cuMemsetD8Async(pointer(offset), value, count, stream.handle()));
  }

  @Override
  void release() {
    if (owned != null) {
      context().countAllocation(-bytes);
      context().call("cuMemFree", () -> JCudaDriver.cuMemFree(owned));
    }
  }

  private void requireSameContext(CudaStream stream) {
    Objects.requireNonNull(stream, "stream");
    CudaArgumentException.require(
        stream.context() == context(),
        "the stream is of %s, the buffer of %s",
        stream.context(),
        context());
  }

  private void requireRange(long offset, long count, String what) {
    requireOpen();
    CudaArgumentException.require(
        offset >= 0 && count >= 0 && offset <= bytes - count,
        "%s: %d bytes at offset %d of a buffer of %d",
        what,
        count,
        offset,
        bytes);
  }

  private CUdeviceptr pointer(long offset) {
    return new CUdeviceptr().withByteOffset(address + offset);
  }

  @Override
  public String toString() {
    return "buffer of %d bytes on %s".formatted(bytes, context().device());
  }
}
