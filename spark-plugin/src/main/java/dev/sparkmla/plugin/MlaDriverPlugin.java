package dev.sparkmla.plugin;

import java.util.Map;
import java.util.function.Consumer;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's side: refuses settings that cannot work before any executor starts, and ends the
 * running jobs when no executor can load the model. Spark alone would start executors for ever.
 */
final class MlaDriverPlugin implements DriverPlugin {
  /** So many loads have to fail, and none to succeed, before jobs are ended. */
  static final int FAILURES = 4;

  private static final Logger LOGGER = LoggerFactory.getLogger(MlaDriverPlugin.class);
  private static final String TASK_GPUS = "spark.task.resource.gpu.amount";

  private Consumer<String> cancelJobs;
  private boolean loaded;
  private int failures;

  @Override
  public Map<String, String> init(SparkContext context, PluginContext pluginContext) {
    check(context.getConf());
    cancelJobs = reason -> cancelJobs(context, reason);
    return Map.of();
  }

  /**
   * Takes an executor's {@link LoadReport}.
   *
   * @return null
   */
  @Override
  public synchronized Object receive(Object message) {
    LoadReport report = (LoadReport) message;
    if (report.failure() == null) {
      loaded = true;
      return null;
    }
    failures++;
    String reason =
        "The model cannot be loaded on executor " + report.executor() + ": " + report.failure();
    LOGGER.error(reason);
    if (!loaded && failures >= FAILURES) {
      cancelJobs.accept(reason);
    }
    return null;
  }

  /** Ends jobs with {@code cancel} from here on. */
  void cancelJobsWith(Consumer<String> cancel) {
    cancelJobs = cancel;
  }

  /**
   * Checks an application's settings.
   *
   * @throws InvalidConfigurationException for the first that cannot work
   */
  private static void check(SparkConf conf) {
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

  private static void cancelJobs(SparkContext context, String reason) {
    for (int job : context.statusTracker().getActiveJobIds()) {
      context.cancelJob(job, reason);
    }
  }
}
