package dev.sparkmla.cuda;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
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

  /** Memory of the device that nobody has taken, in bytes. */
  public long freeMemoryBytes() {
    makeCurrent();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
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
    return new CudaStream(this);
  }

  /** Makes an event, with a time stamp for {@link CudaEvent#millisecondsSince}. */
  public CudaEvent newEvent() {
    return new CudaEvent(this);
  }

  /** Waits until everything enqueued on this device by this process is done. */
  public void synchronize() {
    makeCurrent();
    check(JCudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
  }

  /** Buffers, streams, events and graphs of this context that are open. */
  public synchronized int openResources() {
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

  void check(int result, String call) {
    Driver.check(result, call, device);
  }

  @Override
  public String toString() {
    return "context of " + device;
  }
}
