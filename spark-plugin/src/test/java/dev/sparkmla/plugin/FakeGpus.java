package dev.sparkmla.plugin;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.cuda.ComputeCapability;
import dev.sparkmla.cuda.GpuDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A host with GPUs that exist as descriptions alone: one thread of the processor computes in each
 * one's place.
 *
 * @param devices the GPUs
 * @param opened those that backends were asked for
 */
record FakeGpus(List<GpuDevice> devices, List<GpuDevice> opened) implements GpuHost {
  /** So many H200s. */
  static FakeGpus hoppers(int count) {
    List<GpuDevice> devices = new ArrayList<>();
    for (int ordinal = 0; ordinal < count; ordinal++) {
      devices.add(hopper(ordinal));
    }
    return of(devices.toArray(GpuDevice[]::new));
  }

  static FakeGpus of(GpuDevice... devices) {
    return new FakeGpus(List.of(devices), new CopyOnWriteArrayList<>());
  }

  static GpuDevice hopper(int ordinal) {
    return device(ordinal, "NVIDIA H200", 9);
  }

  static GpuDevice slice(int ordinal) {
    return device(ordinal, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9);
  }

  static GpuDevice ampere(int ordinal) {
    return device(ordinal, "NVIDIA A100", 8);
  }

  private static GpuDevice device(int ordinal, String name, int major) {
    return new GpuDevice(
        ordinal,
        name,
        new ComputeCapability(major, 0),
        1L << 37,
        132,
        new UUID(0xfaceL << 48, ordinal));
  }

  @Override
  public ComputeBackend open(GpuDevice device) {
    opened.add(device);
    return ComputeBackends.cpu(1);
  }
}
