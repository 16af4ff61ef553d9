package dev.sparkmla.cuda;

import java.util.UUID;

/** Devices and memory that exist only as descriptions: enough for checks that end before CUDA. */
final class FakeDevice {
  private FakeDevice() {}

  static GpuDevice device(int major, int minor) {
    return new GpuDevice(
        0,
        major == 9 ? "NVIDIA H200" : "NVIDIA A100",
        new ComputeCapability(major, minor),
        1L << 37,
        132,
        new UUID(1, 2));
  }

  static CudaContext context() {
    return new CudaContext(device(9, 0), null);
  }

  /** A buffer at an address that no test reads or writes. */
  static DeviceBuffer buffer(CudaContext context) {
    return DeviceBuffer.borrow(context, 1L << 20, 1L << 40);
  }
}
