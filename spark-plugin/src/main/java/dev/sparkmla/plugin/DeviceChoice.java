package dev.sparkmla.plugin;

import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.GpuDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.resource.ResourceInformation;
import org.slf4j.LoggerFactory;

/** Where an executor computes, as its settings and what Spark gave it say. */
sealed interface DeviceChoice {
  /** On the processor. */
  record Processor() implements DeviceChoice {}

  /**
   * On GPUs that the kernels run on. They are not claimed yet.
   *
   * @param devices those to use the first free ones of
   * @param count how many
   */
  record Gpus(List<GpuDevice> devices, int count) implements DeviceChoice {}

  /**
   * Chooses.
   *
   * @param local whether the executor runs in local mode, where Spark assigns no resources
   * @param resources what Spark gave the executor
   * @throws InvalidConfigurationException when a GPU is asked for on a cluster and Spark gave none
   * @throws GpuRefusedException when a GPU is asked for and cannot be used, or there is none
   */
  static DeviceChoice of(
      MlaConf conf, boolean local, Map<String, ResourceInformation> resources, GpuHost host) {
    BackendChoice backend = conf.get(MlaConf.BACKEND);
    if (backend == BackendChoice.CPU) {
      return new Processor();
    }
    List<String> addresses = local ? numbered(conf) : given(resources);
    if (!addresses.isEmpty()) {
      return named(addresses, host);
    }
    if (local) {
      return found(backend, host);
    }
    if (backend == BackendChoice.CUDA) {
      throw new InvalidConfigurationException(
          MlaConf.BACKEND.key(),
          "cuda",
          "spark.executor.resource.gpu.amount=1, so that Spark gives the executor a GPU, or auto or"
              + " cpu");
    }
    return new Processor();
  }

  private static List<String> numbered(MlaConf conf) {
    return conf.get(MlaConf.DEVICE).stream().map(String::valueOf).toList();
  }

  private static List<String> given(Map<String, ResourceInformation> resources) {
    ResourceInformation gpus = resources.get(GpuDiscovery.GPU);
    return gpus == null ? List.of() : List.of(gpus.addresses());
  }

  /** All of the GPUs with these addresses. */
  private static DeviceChoice named(List<String> addresses, GpuHost host) {
    List<GpuDevice> visible;
    try {
      visible = host.devices();
    } catch (CudaUnavailableException none) {
      throw new GpuRefusedException(
          "GPU %s cannot be used: %s; or set %s=cpu"
              .formatted(String.join(", ", addresses), none.getMessage(), MlaConf.BACKEND.key()),
          none);
    }
    List<GpuDevice> devices = new ArrayList<>();
    for (String address : addresses) {
      GpuDevice device = named(address.strip(), visible);
      Optional<String> unfitness = GpuRefusedException.unfitness(device);
      if (unfitness.isPresent()) {
        throw new GpuRefusedException(
            "%s %s; or set %s=cpu"
                .formatted(
                    GpuRefusedException.name(device), unfitness.get(), MlaConf.BACKEND.key()));
      }
      devices.add(device);
    }
    return new Gpus(devices, devices.size());
  }

  private static GpuDevice named(String address, List<GpuDevice> visible) {
    return visible.stream()
        .filter(
            device ->
                address.equals(device.uuidText())
                    || address.equals(String.valueOf(device.ordinal())))
        .findFirst()
        .orElseThrow(
            () ->
                new GpuRefusedException(
                    "GPU %s is not among the %d that this process sees, %s: see CUDA_VISIBLE_DEVICES"
                        .formatted(
                            address,
                            visible.size(),
                            visible.stream().map(GpuRefusedException::name).toList())));
  }

  /** The first free one, in local mode. */
  private static DeviceChoice found(BackendChoice backend, GpuHost host) {
    String reason;
    try {
      List<GpuDevice> visible = host.devices();
      List<GpuDevice> fit = fit(visible);
      if (!fit.isEmpty()) {
        return new Gpus(fit, 1);
      }
      reason = unfitness(visible);
    } catch (CudaUnavailableException none) {
      reason = none.getMessage();
    }
    if (backend == BackendChoice.CUDA) {
      throw new GpuRefusedException(reason + "; or set " + MlaConf.BACKEND.key() + "=cpu");
    }
    LoggerFactory.getLogger(DeviceChoice.class).info("Computing on the processor: {}", reason);
    return new Processor();
  }

  /** Those that the kernels run on. */
  static List<GpuDevice> fit(List<GpuDevice> devices) {
    return devices.stream()
        .filter(device -> GpuRefusedException.unfitness(device).isEmpty())
        .toList();
  }

  /** Why each of the others cannot be used. */
  static String unfitness(List<GpuDevice> devices) {
    List<String> reasons = new ArrayList<>();
    for (GpuDevice device : devices) {
      GpuRefusedException.unfitness(device)
          .ifPresent(reason -> reasons.add(GpuRefusedException.name(device) + " " + reason));
    }
    return String.join("; ", reasons);
  }
}
