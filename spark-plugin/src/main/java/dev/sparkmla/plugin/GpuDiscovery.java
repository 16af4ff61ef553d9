package dev.sparkmla.plugin;

import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.GpuDevice;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.api.resource.ResourceDiscoveryPlugin;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells Spark which GPUs a process may use: {@code
 * spark.resources.discoveryPlugin=dev.sparkmla.plugin.GpuDiscovery}, in the place of a discovery
 * script. Only whole Hopper GPUs count, of those that CUDA_VISIBLE_DEVICES shows, in the CUDA
 * driver's order. Their addresses are their UUIDs, which mean the same to every process whatever it
 * sees; bin/discover-gpus prints the same ones.
 *
 * <p>An executor that discovers its GPUs itself, as on YARN and Kubernetes, gets as many as it
 * asked for, of those that no other executor of the host has claimed, and claims them. Anyone else,
 * such as a standalone worker, is told of all.
 *
 * <p>Where it finds none it says why in the log and leaves the answer to Spark's next plugin or
 * script.
 */
public final class GpuDiscovery implements ResourceDiscoveryPlugin {
  /** What Spark calls the resource. */
  static final String GPU = "gpu";

  private static final String EXECUTOR = "spark.executor";
  private static final Logger LOGGER = LoggerFactory.getLogger(GpuDiscovery.class);

  private final GpuHost host;

  /** Made by Spark. */
  public GpuDiscovery() {
    this(GpuHost.OF_THIS_MACHINE);
  }

  GpuDiscovery(GpuHost host) {
    this.host = host;
  }

  /**
   * Finds GPUs.
   *
   * @throws GpuRefusedException when there are not as many free ones as an executor asked for
   */
  @Override
  public Optional<ResourceInformation> discoverResource(ResourceRequest request, SparkConf conf) {
    if (!request.id().resourceName().equals(GPU)) {
      return Optional.empty();
    }
    List<GpuDevice> devices = find();
    if (devices.isEmpty()) {
      return Optional.empty();
    }
    if (request.id().componentName().equals(EXECUTOR)) {
      devices = claim(devices, Math.toIntExact(request.amount()), MlaConf.of(conf));
    }
    return Optional.of(
        new ResourceInformation(
            GPU, devices.stream().map(GpuDevice::uuidText).toArray(String[]::new)));
  }

  private List<GpuDevice> find() {
    try {
      List<GpuDevice> visible = host.devices();
      List<GpuDevice> fit = DeviceChoice.fit(visible);
      if (fit.size() < visible.size()) {
        LOGGER.warn("Not all GPUs can be used: {}", DeviceChoice.unfitness(visible));
      }
      return fit;
    } catch (CudaUnavailableException none) {
      LOGGER.info("No GPU on this host: {}", none.getMessage());
      return List.of();
    }
  }

  /** The executor's plugin, later in this process, takes these claims over. */
  private static List<GpuDevice> claim(List<GpuDevice> devices, int count, MlaConf conf) {
    List<GpuClaim> claims =
        GpuClaim.take(conf.get(MlaConf.GPU_LOCK_DIR), devices, count, Duration.ZERO);
    claims.forEach(GpuClaim::keep);
    return claims.stream().map(GpuClaim::device).toList();
  }
}
