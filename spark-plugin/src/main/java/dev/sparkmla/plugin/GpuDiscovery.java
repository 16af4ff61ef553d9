package dev.sparkmla.plugin;

import dev.sparkmla.cuda.ComputeCapability;
import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.GpuDevice;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.spark.SparkConf;
import org.apache.spark.api.resource.ResourceDiscoveryPlugin;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells Spark which GPUs a host has: {@code
 * spark.resources.discoveryPlugin=dev.sparkmla.plugin.GpuDiscovery}, in the place of a discovery
 * script. Only Hopper GPUs count; their addresses are their numbers among the visible devices.
 *
 * <p>Where it finds none it says why in the log and leaves the answer to Spark's next plugin or
 * script.
 */
public final class GpuDiscovery implements ResourceDiscoveryPlugin {
  /** What Spark calls the resource. */
  static final String GPU = "gpu";

  private static final Logger LOGGER = LoggerFactory.getLogger(GpuDiscovery.class);

  private final Supplier<List<GpuDevice>> devices;

  /** Made by Spark. */
  public GpuDiscovery() {
    this(GpuDevice::all);
  }

  /**
   * @param devices those of this host; throws {@link CudaUnavailableException} where there are none
   */
  GpuDiscovery(Supplier<List<GpuDevice>> devices) {
    this.devices = devices;
  }

  @Override
  public Optional<ResourceInformation> discoverResource(ResourceRequest request, SparkConf conf) {
    if (!request.id().resourceName().equals(GPU)) {
      return Optional.empty();
    }
    List<GpuDevice> hoppers = hoppers();
    return hoppers.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new ResourceInformation(
                GPU,
                hoppers.stream()
                    .map(device -> String.valueOf(device.ordinal()))
                    .toArray(String[]::new)));
  }

  /** The Hopper GPUs of this host; why there are none is in the log. */
  List<GpuDevice> hoppers() {
    try {
      List<GpuDevice> all = devices.get();
      List<GpuDevice> hoppers =
          all.stream()
              .filter(device -> device.computeCapability().equals(ComputeCapability.HOPPER))
              .toList();
      if (hoppers.isEmpty()) {
        LOGGER.warn("No Hopper GPU among the devices of this host: {}", all);
      }
      return hoppers;
    } catch (CudaUnavailableException none) {
      LOGGER.info("No GPU on this host: {}", none.getMessage());
      return List.of();
    }
  }
}
