package dev.sparkmla.compute;

import dev.sparkmla.compute.cpu.CpuBackend;

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
}
