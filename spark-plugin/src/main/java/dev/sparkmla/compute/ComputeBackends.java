package dev.sparkmla.compute;

import dev.sparkmla.compute.cpu.CpuBackend;
import dev.sparkmla.compute.cuda.CudaBackend;
import dev.sparkmla.cuda.GpuDevice;

/** The backends there are. */
public final class ComputeBackends {
  private ComputeBackends() {}

  /**
   * The CPU backend.
   *
   * @param threads how many threads compute, the calling one among them, ≥ 1
   */
  public static ComputeBackend cpu(int threads) {
    return new CpuBackend(threads);
  }

  /**
   * The CUDA backend on one device.
   *
   * @throws dev.sparkmla.cuda.CudaUnavailableException where the device is not a Hopper GPU, or a
   *     library is missing
   * @throws ComputeException when the device has no memory left
   */
  public static ComputeBackend cuda(GpuDevice device) {
    return new CudaBackend(device);
  }
}
