package dev.sparkmla.plugin;

import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.plugin.location.FolderPart;
import dev.sparkmla.plugin.location.ModelLocator;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's side: refuses settings that cannot work, and a model that is not where its URI says,
 * before any executor starts; says in its log why executors cannot load the model, and ends the
 * running jobs when none can.
 */
final class MlaDriverPlugin implements DriverPlugin {
  private static final Logger LOGGER = LoggerFactory.getLogger(MlaDriverPlugin.class);
  private static final String TASK_GPUS = "spark.task.resource.gpu.amount";

  private final LoadReports reports = new LoadReports();
  private SparkContext application;
  private GenerationMonitor monitor;

  @Override
  public Map<String, String> init(SparkContext context, PluginContext pluginContext) {
    check(context.getConf());
    application = context;
    MlaConf conf = MlaConf.of(context.getConf());
    boolean local = MlaPlugin.isLocal(context.getConf());
    ModelLocator locator =
        MlaPlugin.locator(context.getConf(), local ? FolderPart.ALL : FolderPart.TEXT);
    if (!local && conf.has(MlaConf.MODEL_PATH)) {
      locator.check(conf.get(MlaConf.MODEL_PATH));
    }
    ApplicationModel.start(ApplicationModel.Side.DRIVER, conf, locator);
    monitor = GenerationMonitor.start(context, conf);
    return Map.of();
  }

  @Override
  public void registerMetrics(String applicationId, PluginContext pluginContext) {
    monitor.register(pluginContext.metricRegistry());
  }

  @Override
  public void shutdown() {
    ApplicationModel.stop(ApplicationModel.Side.DRIVER);
  }

  /**
   * Takes what an executor tells: a {@link LoadReport}, or an {@link EngineReport}.
   *
   * @return to an engine's report, how long to wait until the next one
   */
  @Override
  public Object receive(Object message) {
    if (message instanceof EngineReport report) {
      return monitor.take(report);
    }
    LoadReport report = (LoadReport) message;
    if (report.failure() != null) {
      LOGGER.error(LoadReports.describe(report));
    }
    reports.add(report).ifPresent(this::cancelJobs);
    return null;
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

  private void cancelJobs(String reason) {
    for (int job : application.statusTracker().getActiveJobIds()) {
      application.cancelJob(job, reason);
    }
  }
}
