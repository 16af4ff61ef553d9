package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.util.Objects;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/**
 * A range of device memory, owned (freed on close) or borrowed (left alone). One thread at a time.
 *
 * <p>Copies and fills are ordered on the stream they are given. Copies from and to the host return
 * when the host's side is done with.
 */
public final class DeviceBuffer implements AutoCloseable {
  private static final String KIND = "buffers";

  /** Host bytes outside direct buffers pass through a block of this size. */
  private static final int STAGING_BYTES = 4 << 20;

  /** JCuda keeps addresses to itself; a subclass may look. */
  private static final class Address extends CUdeviceptr {
    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  private final CudaContext context;
  private final Address owned;
  private final long address;
  private final long bytes;
  private boolean closed;

  private DeviceBuffer(CudaContext context, Address owned, long address, long bytes) {
    this.context = context;
    this.owned = owned;
    this.address = address;
    this.bytes = bytes;
    context.opened(KIND);
  }

  static DeviceBuffer allocate(CudaContext context, long bytes) {
    CudaArgumentException.require(bytes >= 1, "a buffer needs at least 1 byte, not %d", bytes);
    context.makeCurrent();
    Address address = new Address();
    context.check(
        JCudaDriver.cuMemAlloc(address, bytes), "cuMemAlloc of %d bytes".formatted(bytes));
    context.countAllocation(bytes);
    return new DeviceBuffer(context, address, address.value(), bytes);
  }

  /**
   * Stands for memory that somebody else owns and keeps alive for as long as this object is used.
   *
   * @param address a device address of the context's device, not 0
   * @param bytes its size, at least 1
   */
  public static DeviceBuffer borrow(CudaContext context, long address, long bytes) {
    CudaArgumentException.require(address != 0, "a borrowed buffer needs an address, not 0");
    CudaArgumentException.require(bytes >= 1, "a buffer needs at least 1 byte, not %d", bytes);
    return new DeviceBuffer(context, null, address, bytes);
  }

  /** The context it belongs to. */
  public CudaContext context() {
    return context;
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
    context.makeCurrent();
    ByteBuffer rest = source.duplicate();
    long at = offset;
    ByteBuffer staging = null;
    while (rest.hasRemaining()) {
      ByteBuffer direct = rest;
      if (!rest.isDirect()) {
        if (staging == null) {
          staging = ByteBuffer.allocateDirect(Math.min(STAGING_BYTES, rest.remaining()));
        }
        int size = Math.min(staging.capacity(), rest.remaining());
        staging.clear().put(rest.slice().limit(size)).flip();
        direct = staging;
        rest.position(rest.position() + size);
      } else {
        rest = ByteBuffer.allocate(0);
      }
      int size = direct.remaining();
      context.check(
          JCudaDriver.cuMemcpyHtoDAsync(
              pointer(at), Pointer.toBuffer(direct), size, stream.handle()),
          "cuMemcpyHtoDAsync");
      stream.synchronize();
      at += size;
    }
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
    context.makeCurrent();
    if (target.isDirect()) {
      copyToDirect(offset, target.duplicate(), stream);
      return;
    }
    ByteBuffer rest = target.duplicate();
    ByteBuffer staging = ByteBuffer.allocateDirect(Math.min(STAGING_BYTES, rest.remaining()));
    for (long at = offset; rest.hasRemaining(); at += staging.limit()) {
      staging.clear().limit(Math.min(staging.capacity(), rest.remaining()));
      copyToDirect(at, staging, stream);
      rest.put(staging.duplicate());
    }
  }

  private void copyToDirect(long offset, ByteBuffer target, CudaStream stream) {
    context.check(
        JCudaDriver.cuMemcpyDtoHAsync(
            Pointer.toBuffer(target), pointer(offset), target.remaining(), stream.handle()),
        "cuMemcpyDtoHAsync");
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
    context.makeCurrent();
    context.check(
        JCudaDriver.cuMemcpyHtoDAsync(
            pointer(offset), source.pointer(sourceOffset, count), count, stream.handle()),
        "cuMemcpyHtoDAsync");
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
    context.makeCurrent();
    context.check(
        JCudaDriver.cuMemcpyDtoHAsync(
            target.pointer(targetOffset, count), pointer(offset), count, stream.handle()),
        "cuMemcpyDtoHAsync");
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
        source.context == context, "copy from %s to %s", source.context, context);
    context.makeCurrent();
    context.check(
        JCudaDriver.cuMemcpyDtoDAsync(
            pointer(offset), source.pointer(sourceOffset), count, stream.handle()),
        "cuMemcpyDtoDAsync");
  }

  /**
   * Enqueues setting {@code count} bytes to one value.
   *
   * @throws CudaArgumentException where the range lies outside the buffer
   */
  public void fill(long offset, long count, byte value, CudaStream stream) {
    requireRange(offset, count, "fill");
    requireSameContext(stream);
    context.makeCurrent();
    context.check(
        JCudaDriver.cuMemsetD8Async(pointer(offset), value, count, stream.handle()),
        "cuMemsetD8Async");
  }

  /**
   * Frees the memory if it is owned. Work still enqueued that uses it must be done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    requireOpen();
    closed = true;
    context.closed(KIND);
    if (owned != null) {
      context.countAllocation(-bytes);
      context.makeCurrent();
      context.check(JCudaDriver.cuMemFree(owned), "cuMemFree");
    }
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException("%s is closed".formatted(this));
    }
  }

  private void requireSameContext(CudaStream stream) {
    Objects.requireNonNull(stream, "stream");
    CudaArgumentException.require(
        stream.context() == context,
        "the stream is of %s, the buffer of %s",
        stream.context(),
        context);
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
    return "buffer of %d bytes on %s".formatted(bytes, context.device());
  }
}
