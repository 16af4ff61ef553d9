package dev.sparkmla.plugin;

import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;

/** The driver's side: refuses settings that cannot work before any executor starts. */
final class MlaDriverPlugin implements DriverPlugin {
  private static final String TASK_GPUS = "spark.task.resource.gpu.amount";

  @Override
  public Map<String, String> init(SparkContext context, PluginContext pluginContext) {
    check(context.getConf());
    return Map.of();
  }

  /**
   * Checks an application's settings.
   *
   * @throws InvalidConfigurationException for the first that cannot work
   */
  static void check(SparkConf conf) {
    MlaConf.of(conf);
    if (MlaPlugin.isLocal(conf) && conf.contains(TASK_GPUS)) {
      throw new InvalidConfigurationException(
          TASK_GPUS,
          conf.get(TASK_GPUS),
          "no such setting in local mode, where Spark assigns no GPUs and would wait for ever;"
              + " choose one with "
              + MlaConf.DEVICE.key());
    }
  }
}
