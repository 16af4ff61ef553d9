package dev.sparkmla.plugin;

import dev.sparkmla.compute.Resources;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.plugin.location.FolderPart;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An executor's side: owns its engine.
 *
 * <p>An engine that has failed, after a fatal error of its GPU for one, serves no more rows; then
 * the executor ends, so that Spark starts another with a new engine and runs its tasks again there.
 * In local mode, where the executor is the application, tasks fail with the cause instead.
 */
final class MlaExecutorPlugin implements ExecutorPlugin {
  /** The executor's exit code after its engine has failed. */
  static final int ENGINE_FAILED = 70;

  private static final Logger LOGGER = LoggerFactory.getLogger(MlaExecutorPlugin.class);

  private final BiFunction<MlaConf, PluginContext, TextGenerator> opener;
  private final IntConsumer exit;
  private boolean replaceable;
  private EngineReporter reporter;

  /**
   * @param opener makes the engine
   * @param exit ends the process with a code
   */
  MlaExecutorPlugin(BiFunction<MlaConf, PluginContext, TextGenerator> opener, IntConsumer exit) {
    this.opener = opener;
    this.exit = exit;
  }

  @Override
  public void init(PluginContext context, Map<String, String> extraConf) {
    replaceable = !MlaPlugin.isLocal(context.conf());
    try {
      start(context);
    } catch (RuntimeException | Error problem) {
      report(context, problem.toString());
      throw problem;
    }
    report(context, null);
    reporter = EngineReporter.start(context, MlaConf.of(context.conf()), ExecutorEngine.current());
  }

  private void start(PluginContext context) {
    MlaConf conf = MlaConf.of(context.conf());
    Resources started = new Resources();
    try {
      ApplicationModel.start(
          ApplicationModel.Side.EXECUTOR, conf, MlaPlugin.locator(context.conf(), FolderPart.ALL));
      started.own(() -> ApplicationModel.stop(ApplicationModel.Side.EXECUTOR));
      TextGenerator generator = started.own(opener.apply(conf, context));
      EngineMetrics.register(context.metricRegistry(), generator);
      ExecutorEngine.start(generator);
    } catch (RuntimeException | Error problem) {
      started.closeAfter(problem);
      throw problem;
    }
  }

  /** Tells the driver; in local mode it sees for itself. */
  private void report(PluginContext context, String failure) {
    if (!replaceable) {
      return;
    }
    try {
      context.ask(new LoadReport(context.executorID(), failure));
    } catch (Exception unheard) {
      LOGGER.warn("The driver was not told how the model's load went", unheard);
    }
  }

  @Override
  public void onTaskSucceeded() {
    reporter.report();
  }

  @Override
  public void onTaskFailed(TaskFailedReason reason) {
    reporter.report();
    if (replaceable && isEngineFailure(reason)) {
      LOGGER.error(
          "The engine failed; this executor ends for Spark to replace it: {}",
          reason.toErrorString());
      exit.accept(ENGINE_FAILED);
    }
  }

  @Override
  public void shutdown() {
    try {
      if (reporter != null) {
        reporter.close();
      }
      ExecutorEngine.stop();
    } finally {
      ApplicationModel.stop(ApplicationModel.Side.EXECUTOR);
    }
  }

  private static boolean isEngineFailure(TaskFailedReason reason) {
    if (!(reason instanceof ExceptionFailure failure) || failure.exception().isEmpty()) {
      return false;
    }
    for (Throwable cause = failure.exception().get(); cause != null; cause = cause.getCause()) {
      if (cause instanceof EngineFailedException) {
        return true;
      }
    }
    return false;
  }
}
