package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.UUID;
import org.junit.jupiter.api.Test;

class GpuDeviceTest {
  @Test
  void spellsItsUuidAsNvidiaSmiDoes() {
    assertThat(named("NVIDIA H200").uuidText())
        .isEqualTo("GPU-00000000-0000-0001-0000-000000000002");
  }

  @Test
  void knowsASliceByItsName() {
    assertThat(named("NVIDIA H100 80GB HBM3 MIG 1g.10gb").isMigSlice()).isTrue();
    assertThat(named("NVIDIA H100 80GB HBM3").isMigSlice()).isFalse();
    assertThat(named("NVIDIA GH200 480GB").isMigSlice()).isFalse();
  }

  private static GpuDevice named(String name) {
    return new GpuDevice(0, name, ComputeCapability.HOPPER, 1L << 37, 132, new UUID(1, 2));
  }
}
