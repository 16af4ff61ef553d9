package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.GpuDevice;
import java.util.List;
import java.util.Map;
import org.apache.spark.resource.ResourceInformation;
import org.junit.jupiter.api.Test;

/** Which devices an executor takes. */
class DevicesTest {
  private static final Map<String, ResourceInformation> NOTHING = Map.of();
  private static final FakeGpus THREE =
      FakeGpus.of(FakeGpus.ampere(0), FakeGpus.hopper(1), FakeGpus.hopper(2));

  @Test
  void takesTheGpusThatSparkGave() {
    assertThat(choose("auto", "0", false, gpu("2"), THREE)).isEqualTo(all(FakeGpus.hopper(2)));
    assertThat(choose("cuda", "auto", false, gpu("2", " 1"), THREE))
        .isEqualTo(all(FakeGpus.hopper(2), FakeGpus.hopper(1)));
    assertThat(choose("auto", "auto", false, gpu(FakeGpus.hopper(1).uuidText()), THREE))
        .isEqualTo(all(FakeGpus.hopper(1)));
  }

  @Test
  void computesOnTheProcessorWhereNoGpuIsAskedForOrGiven() {
    DeviceChoice processor = new DeviceChoice.Processor();
    assertThat(choose("cpu", "auto", false, gpu("1"), THREE)).isEqualTo(processor);
    assertThat(choose("cpu", "1", true, NOTHING, THREE)).isEqualTo(processor);
    assertThat(choose("auto", "auto", false, NOTHING, THREE)).isEqualTo(processor);
    assertThat(choose("auto", "auto", true, NOTHING, FakeGpus.of(FakeGpus.ampere(0))))
        .isEqualTo(processor);
  }

  @Test
  void takesTheNamedOrFirstGpusInLocalMode() {
    assertThat(choose("auto", "2", true, NOTHING, THREE)).isEqualTo(all(FakeGpus.hopper(2)));
    assertThat(choose("cuda", "2, 1", true, NOTHING, THREE))
        .isEqualTo(all(FakeGpus.hopper(2), FakeGpus.hopper(1)));
    assertThat(choose("cuda", "auto", true, NOTHING, THREE))
        .isEqualTo(new DeviceChoice.Gpus(List.of(FakeGpus.hopper(1), FakeGpus.hopper(2)), 1));
  }

  @Test
  void refusesCudaOnAClusterThatGaveNoGpu() {
    assertThatThrownBy(() -> choose("cuda", "auto", false, NOTHING, THREE))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining("spark.mla.backend is 'cuda'")
        .hasMessageContaining("spark.executor.resource.gpu.amount=1");
  }

  @Test
  void refusesAGpuThatTheKernelsDoNotRunOn() {
    FakeGpus gpus = FakeGpus.of(FakeGpus.ampere(0), FakeGpus.slice(1));
    for (String backend : List.of("auto", "cuda")) {
      assertThatThrownBy(() -> choose(backend, "auto", false, gpu("0"), gpus))
          .isInstanceOf(GpuRefusedException.class)
          .hasMessageStartingWith(
              "GPU-face0000-0000-0000-0000-000000000000 (device 0, NVIDIA A100) has compute"
                  + " capability 8.0, and the kernels need a Hopper GPU (9.0)")
          .hasMessageEndingWith("or set spark.mla.backend=cpu");
      assertThatThrownBy(() -> choose(backend, "1", true, NOTHING, gpus))
          .isInstanceOf(GpuRefusedException.class)
          .hasMessageContaining("(device 1, NVIDIA H100 80GB HBM3 MIG 1g.10gb) is a MIG slice")
          .hasMessageContaining("nvidia-smi -i GPU-face0000-0000-0000-0000-000000000001 -mig 0");
    }
    assertThatThrownBy(() -> choose("cuda", "auto", true, NOTHING, gpus))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessageContainingAll("NVIDIA A100) has compute capability 8.0", "is a MIG slice");
  }

  @Test
  void refusesAGpuThatIsNotVisible() {
    for (String address : List.of("3", "GPU-face0000-0000-0000-0000-000000000009", "MIG-1")) {
      assertThatThrownBy(() -> choose("auto", "auto", false, gpu(address), THREE))
          .isInstanceOf(GpuRefusedException.class)
          .hasMessageContaining("GPU " + address + " is not among the 3")
          .hasMessageContaining("CUDA_VISIBLE_DEVICES");
    }
  }

  @Test
  void saysThatTheDriverIsMissing() {
    assumeFalse(hasDriver());
    GpuHost host = GpuHost.OF_THIS_MACHINE;
    assertThatThrownBy(() -> choose("auto", "auto", false, gpu("0"), host))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessageStartingWith("GPU 0 cannot be used: no CUDA driver")
        .hasMessageEndingWith("or set spark.mla.backend=cpu");
    assertThatThrownBy(() -> choose("cuda", "auto", true, NOTHING, host))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessageStartingWith("no CUDA driver");
    assertThat(choose("auto", "auto", true, NOTHING, host)).isEqualTo(new DeviceChoice.Processor());
  }

  private static boolean hasDriver() {
    try {
      return !GpuDevice.all().isEmpty();
    } catch (CudaUnavailableException none) {
      return false;
    }
  }

  private static DeviceChoice all(GpuDevice... devices) {
    return new DeviceChoice.Gpus(List.of(devices), devices.length);
  }

  private static DeviceChoice choose(
      String backend,
      String device,
      boolean local,
      Map<String, ResourceInformation> resources,
      GpuHost host) {
    return DeviceChoice.of(
        MlaConf.of(Map.of("spark.mla.backend", backend, "spark.mla.device", device)),
        local,
        resources,
        host);
  }

  private static Map<String, ResourceInformation> gpu(String... addresses) {
    return Map.of("gpu", new ResourceInformation("gpu", addresses));
  }
}
