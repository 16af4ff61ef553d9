package dev.sparkmla.cuda;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;
import jcuda.driver.CUcontext;
import jcuda.driver.JCudaDriver;

/**
 * A device in use: its primary context, retained until {@link #close}. Every buffer, stream, event
 * and graph is made from one and must be closed before it.
 *
 * <p>Several contexts of one device in a process share the primary context underneath, and so does
 * any other library in the process.
 *
 * <p>Thread-safe.
 */
public final class CudaContext implements AutoCloseable {
  private final GpuDevice device;
  private final CUcontext handle;
  private final Map<String, Integer> open = new TreeMap<>();
  private final AtomicLong allocatedBytes = new AtomicLong();
  private boolean closed;

  /**
   * @param handle the retained primary context; null in tests of argument checks, which never reach
   *     the driver
   */
  CudaContext(GpuDevice device, CUcontext handle) {
    this.device = device;
    this.handle = handle;
  }

  /**
   * Retains the primary context of a device.
   *
   * @throws CudaUnavailableException where there is no driver
   * @throws CudaException where the driver refuses, for want of memory for instance
   */
  public static CudaContext open(GpuDevice device) {
    Driver.initialize();
    CUcontext handle = new CUcontext();
    Driver.check(
        JCudaDriver.cuDevicePrimaryCtxRetain(handle, GpuDevice.handle(device.ordinal())),
        "cuDevicePrimaryCtxRetain",
        device);
    return new CudaContext(device, handle);
  }

  /** The device. */
  public GpuDevice device() {
    return device;
  }

  /**
   * Returns this context, once it is certain that this project's kernels run on it.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public CudaContext requireKernels() {
    device.requireHopper();
    NativeLibrary.load();
    return this;
  }

  /** Memory of the device that is not allocated by any process, in bytes. */
  public long freeMemoryBytes() {
    long[] free = new long[1];
    long[] total = new long[1];
    call("cuMemGetInfo", () -> JCudaDriver.cuMemGetInfo(free, total));
    return free[0];
  }

  /**
   * Allocates device memory; what it holds is undefined.
   *
   * @param bytes at least 1
   * @throws CudaException where there is not enough
   */
  public DeviceBuffer allocate(long bytes) {
    return DeviceBuffer.allocate(this, bytes);
  }

  /** Makes a stream that does not wait for the default stream. */
  public CudaStream newStream() {
    return CudaStream.create(this);
  }

  /** Makes an event, with a time stamp for {@link CudaEvent#millisecondsSince}. */
  public CudaEvent newEvent() {
    return CudaEvent.create(this);
  }

  /** Waits until everything enqueued on this device by this process is done. */
  public void synchronize() {
    call("cuCtxSynchronize", JCudaDriver::cuCtxSynchronize);
  }

  /** Buffers, streams, events and graphs of this context that are open, for tests. */
  synchronized int openResources() {
    return open.values().stream().mapToInt(Integer::intValue).sum();
  }

  /** Device memory held through this context, in bytes. */
  public long allocatedBytes() {
    return allocatedBytes.get();
  }

  /**
   * Releases the primary context.
   *
   * @throws IllegalStateException where something made from it is open (it then stays open), or
   *     where it is closed already
   */
  @Override
  public synchronized void close() {
    if (closed) {
      throw new IllegalStateException("the context of " + device + " is closed already");
    }
    if (!open.isEmpty()) {
      throw new IllegalStateException(
          "the context of %s cannot close, these are open: %s".formatted(device, open));
    }
    closed = true;
    check(
        JCudaDriver.cuDevicePrimaryCtxRelease(GpuDevice.handle(device.ordinal())),
        "cuDevicePrimaryCtxRelease");
  }

  synchronized void opened(String kind) {
    if (closed) {
      throw new IllegalStateException("the context of " + device + " is closed");
    }
    open.merge(kind, 1, Integer::sum);
  }

  synchronized void closed(String kind) {
    open.computeIfPresent(kind, (name, count) -> count == 1 ? null : count - 1);
  }

  void countAllocation(long bytes) {
    allocatedBytes.addAndGet(bytes);
  }

  /** Makes this context the calling thread's. */
  void makeCurrent() {
    synchronized (this) {
      if (closed) {
        throw new IllegalStateException("the context of " + device + " is closed");
      }
    }
    check(JCudaDriver.cuCtxSetCurrent(handle), "cuCtxSetCurrent");
  }

  /**
   * Makes a call of the driver with this context current.
   *
   * @param name of the driver's function, for messages
   * @throws CudaException where it fails
   */
  void call(String name, IntSupplier function) {
    makeCurrent();
    check(function.getAsInt(), name);
  }

  void check(int result, String call) {
    Driver.check(result, call, device);
  }

  @Override
  public String toString() {
    return "context of " + device;
  }
}
