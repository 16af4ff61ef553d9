package dev.sparkmla.plugin;

import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.plugin.location.FolderPart;
import dev.sparkmla.plugin.location.ModelLocator;
import java.util.Map;
import java.util.function.BiFunction;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;

/**
 * The plugin's side in the driver. Before any executor starts, it refuses invalid settings, and a
 * model that is missing at its URI. It receives the executors' reports about loading the model, and
 * ends the running jobs when no executor can load it.
 *
 * <p>In local mode it loads the model itself, before Spark makes the executor, because the
 * executor's heartbeats begin before its plugins and fail until the application has started.
 */
final class MlaDriverPlugin implements DriverPlugin {
  private static final String TASK_GPUS = "spark.task.resource.gpu.amount";

  private final BiFunction<MlaConf, PluginContext, TextGenerator> opener;
  private final LoadReports loads = new LoadReports(this::cancelJobs);
  private SparkContext application;
  private GenerationMonitor monitor;

  /**
   * @param opener makes the generator in local mode
   */
  MlaDriverPlugin(BiFunction<MlaConf, PluginContext, TextGenerator> opener) {
    this.opener = opener;
  }

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
    ModelLoading.follow(loads);
    if (local) {
      load(conf, pluginContext);
    } else {
      context.addSparkListener(
          new SparkListener() {
            @Override
            public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
              loads.end(removed.executorId());
            }
          });
    }
    return Map.of();
  }

  private void load(MlaConf conf, PluginContext context) {
    String id = context.executorID();
    loads.begin(id, "this machine");
    try (LoadClock clock = new LoadClock(part -> loads.progress(id, part))) {
      ExecutorEngine.start(opener.apply(conf, context));
      loads.succeed(id, null);
    } catch (RuntimeException | Error problem) {
      shutdown();
      throw problem;
    }
  }

  @Override
  public void registerMetrics(String applicationId, PluginContext pluginContext) {
    monitor.register(pluginContext.metricRegistry());
  }

  @Override
  public void shutdown() {
    try {
      if (MlaPlugin.isLocal(application.getConf())) {
        ExecutorEngine.stop();
      }
    } finally {
      ModelLoading.follow(null);
      ApplicationModel.stop(ApplicationModel.Side.DRIVER);
    }
  }

  /**
   * Receives a message from an executor: a {@link LoadReport}, an {@link EngineReport} or a {@link
   * LastReport}.
   *
   * @return the answer; to an engine's report, how long the executor should wait until its next
   *     one; null to its last one
   */
  @Override
  public Object receive(Object message) {
    if (message instanceof LastReport last) {
      monitor.take(last.report());
      return null;
    }
    return message instanceof EngineReport report
        ? monitor.take(report)
        : ((LoadReport) message).tell(loads);
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
