package dev.sparkmla.plugin;

import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Supplier;
import org.apache.spark.resource.ResourceInformation;

/** Where an executor computes, as its settings and what Spark gave it say. */
sealed interface DeviceChoice {
  /** On the processor. */
  record Processor() implements DeviceChoice {}

  /**
   * On a GPU.
   *
   * @param ordinal its number among the visible devices
   */
  record Gpu(int ordinal) implements DeviceChoice {}

  /**
   * Chooses.
   *
   * @param local whether the executor runs in local mode, where Spark assigns no resources
   * @param resources what Spark gave the executor
   * @param firstHopper looks for the first Hopper GPU of this host
   * @throws InvalidConfigurationException when a GPU is asked for and there is none
   */
  static DeviceChoice of(
      MlaConf conf,
      boolean local,
      Map<String, ResourceInformation> resources,
      Supplier<OptionalInt> firstHopper) {
    BackendChoice backend = conf.get(MlaConf.BACKEND);
    if (backend == BackendChoice.CPU) {
      return new Processor();
    }
    OptionalInt gpu = local ? inLocalMode(conf, firstHopper) : given(resources);
    if (gpu.isPresent()) {
      return new Gpu(gpu.getAsInt());
    }
    if (backend == BackendChoice.CUDA) {
      throw new InvalidConfigurationException(
          MlaConf.BACKEND.key(),
          "cuda",
          local
              ? "a Hopper GPU on this host, or auto or cpu"
              : "spark.executor.resource.gpu.amount=1, so that Spark gives the executor a GPU, or"
                  + " auto or cpu");
    }
    return new Processor();
  }

  private static OptionalInt inLocalMode(MlaConf conf, Supplier<OptionalInt> firstHopper) {
    OptionalInt named = conf.get(MlaConf.DEVICE);
    return named.isPresent() ? named : firstHopper.get();
  }

  private static OptionalInt given(Map<String, ResourceInformation> resources) {
    ResourceInformation gpus = resources.get(GpuDiscovery.GPU);
    if (gpus == null || gpus.addresses().length == 0) {
      return OptionalInt.empty();
    }
    String address = gpus.addresses()[0];
    try {
      return OptionalInt.of(Integer.parseInt(address.strip()));
    } catch (NumberFormatException notANumber) {
      throw new InvalidConfigurationException(
          "spark.executor.resource.gpu",
          Arrays.toString(gpus.addresses()),
          "addresses that are the numbers of GPUs, as "
              + GpuDiscovery.class.getName()
              + " finds them");
    }
  }
}
