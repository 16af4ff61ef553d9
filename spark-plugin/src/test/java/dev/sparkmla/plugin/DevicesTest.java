package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.ComputeCapability;
import dev.sparkmla.cuda.GpuDevice;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import org.apache.spark.SparkConf;
import org.apache.spark.resource.ResourceID;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;
import org.junit.jupiter.api.Test;

/** Which GPUs are found, and which device an executor takes. */
class DevicesTest {
  private static final Map<String, ResourceInformation> NOTHING = Map.of();

  @Test
  void findsHopperGpusAlone() {
    GpuDiscovery discovery =
        new GpuDiscovery(() -> List.of(device(0, 8, 0), device(1, 9, 0), device(2, 9, 0)));
    Optional<ResourceInformation> found =
        discovery.discoverResource(request("gpu"), new SparkConf(false));
    assertThat(found).isPresent();
    assertThat(found.get().name()).isEqualTo("gpu");
    assertThat(found.get().addresses()).containsExactly("1", "2");
  }

  @Test
  void leavesTheAnswerToOthersWhereThereAreNone() {
    assertThat(
            new GpuDiscovery(() -> List.of(device(0, 10, 0)))
                .discoverResource(request("gpu"), new SparkConf(false)))
        .isEmpty();
    assertThat(
            new GpuDiscovery(() -> List.of(device(0, 9, 0)))
                .discoverResource(request("fpga"), new SparkConf(false)))
        .isEmpty();
  }

  @Test
  void answersOnAHostWithoutADriverToo() {
    boolean some = !new GpuDiscovery().hoppers().isEmpty();
    assertThat(
            new GpuDiscovery().discoverResource(request("gpu"), new SparkConf(false)).isPresent())
        .isEqualTo(some);
  }

  @Test
  void takesTheGpuThatSparkGave() {
    assertThat(choose("auto", "5", false, gpu("3", "4"))).isEqualTo(new DeviceChoice.Gpu(3));
    assertThat(choose("cuda", "auto", false, gpu("0"))).isEqualTo(new DeviceChoice.Gpu(0));
    assertThat(choose("cpu", "auto", false, gpu("0"))).isEqualTo(new DeviceChoice.Processor());
    assertThat(choose("auto", "auto", false, NOTHING)).isEqualTo(new DeviceChoice.Processor());
  }

  @Test
  void takesTheNamedOrFirstGpuInLocalMode() {
    assertThat(choose("auto", "5", true, NOTHING)).isEqualTo(new DeviceChoice.Gpu(5));
    assertThat(choose("cuda", "auto", true, NOTHING)).isEqualTo(new DeviceChoice.Gpu(2));
    assertThat(choose("cpu", "5", true, NOTHING)).isEqualTo(new DeviceChoice.Processor());
  }

  @Test
  void refusesCudaWithoutAGpu() {
    assertThatThrownBy(() -> choose("cuda", "auto", false, NOTHING))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining("spark.mla.backend is 'cuda'")
        .hasMessageContaining("spark.executor.resource.gpu.amount=1");
    assertThatThrownBy(
            () ->
                DeviceChoice.of(
                    MlaConf.of(Map.of("spark.mla.backend", "cuda")),
                    true,
                    NOTHING,
                    OptionalInt::empty))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining("a Hopper GPU on this host");
  }

  @Test
  void refusesAnAddressThatIsNoNumber() {
    assertThatThrownBy(() -> choose("auto", "auto", false, gpu("MIG-1")))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining("[MIG-1]");
  }

  private static DeviceChoice choose(
      String backend, String device, boolean local, Map<String, ResourceInformation> resources) {
    return DeviceChoice.of(
        MlaConf.of(Map.of("spark.mla.backend", backend, "spark.mla.device", device)),
        local,
        resources,
        () -> OptionalInt.of(2));
  }

  private static Map<String, ResourceInformation> gpu(String... addresses) {
    return Map.of("gpu", new ResourceInformation("gpu", addresses));
  }

  private static ResourceRequest request(String resource) {
    return new ResourceRequest(
        new ResourceID("spark.executor", resource), 1, Optional.empty(), Optional.empty());
  }

  private static GpuDevice device(int ordinal, int major, int minor) {
    return new GpuDevice(
        ordinal, "GPU", new ComputeCapability(major, minor), 1L << 30, 100, new UUID(0, ordinal));
  }
}
