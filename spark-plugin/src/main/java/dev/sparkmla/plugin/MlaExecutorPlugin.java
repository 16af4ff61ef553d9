package dev.sparkmla.plugin;

import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.plugin.location.FolderPart;
import dev.sparkmla.plugin.location.ModelFingerprint;
import dev.sparkmla.plugin.location.ModelUnavailableException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The plugin's side in an executor. It owns the executor's engines and reports to the driver how
 * the model is loaded. The driver may answer that it has to wait first, or that its model differs
 * from that of the other executors.
 *
 * <p>When an engine has failed, after a fatal error of its GPU for example, the executor ends, so
 * that Spark starts another one and runs the tasks again there. In local mode, where the executor
 * is the application, tasks fail with the cause instead.
 */
final class MlaExecutorPlugin implements ExecutorPlugin {
  /** The executor's exit code after its engine has failed. */
  static final int ENGINE_FAILED = 70;

  private static final Logger LOGGER = LoggerFactory.getLogger(MlaExecutorPlugin.class);

  private final BiFunction<MlaConf, PluginContext, TextGenerator> opener;
  private final IntConsumer exit;
  private final Supplier<String> host;
  private final Consumer<Duration> waiter;
  private boolean replaceable;
  private EngineReporter reporter;

  /**
   * @param opener makes the generator
   * @param exit ends the process with a code
   * @param host says where the executor is
   * @param waiter waits for a time
   */
  MlaExecutorPlugin(
      BiFunction<MlaConf, PluginContext, TextGenerator> opener,
      IntConsumer exit,
      Supplier<String> host,
      Consumer<Duration> waiter) {
    this.opener = opener;
    this.exit = exit;
    this.host = host;
    this.waiter = waiter;
  }

  @Override
  public void init(PluginContext context, Map<String, String> extraConf) {
    replaceable = !MlaPlugin.isLocal(context.conf());
    MlaConf conf = MlaConf.of(context.conf());
    ApplicationModel.start(
        ApplicationModel.Side.EXECUTOR, conf, MlaPlugin.locator(context.conf(), FolderPart.ALL));
    if (replaceable) {
      load(conf, context);
    }
    TextGenerator generator = ExecutorEngine.current().generator();
    EngineMetrics.register(context.metricRegistry(), generator);
    reporter = EngineReporter.start(context, conf, generator);
  }

  private void load(MlaConf conf, PluginContext context) {
    String id = context.executorID();
    tell(context, new LoadReport.Begun(id, host.get()))
        .map(Duration.class::cast)
        .filter(wait -> !wait.isZero())
        .ifPresent(waiter);
    try (LoadClock clock = new LoadClock(part -> send(context, part))) {
      ExecutorEngine.start(opener.apply(conf, context));
      ModelFingerprint model = conf.has(MlaConf.MODEL_PATH) ? ApplicationModel.fingerprint() : null;
      requireConsent(context, new LoadReport.Loaded(id, model));
    } catch (RuntimeException | Error problem) {
      tell(context, new LoadReport.Failed(id, problem.toString()));
      try {
        shutdown();
      } catch (RuntimeException unclosed) {
        problem.addSuppressed(unclosed);
      }
      throw problem;
    }
  }

  private static void send(PluginContext context, double part) {
    try {
      context.send(new LoadReport.Progressed(context.executorID(), part));
    } catch (IOException unheard) {
      // The next second brings another one.
    }
  }

  /** Refuses to generate with a model that the driver has not compared. */
  private static void requireConsent(PluginContext context, LoadReport.Loaded report) {
    String refusal;
    try {
      refusal = (String) context.ask(report);
    } catch (Exception unheard) { // Scala does not declare what it throws.
      throw new ModelUnavailableException(
          "the driver did not say whether executor "
              + report.executor()
              + " has the application's model: "
              + unheard.getMessage(),
          unheard);
    }
    if (refusal != null && !refusal.isEmpty()) {
      throw new ModelUnavailableException(refusal);
    }
  }

  /** Sends a report to the driver and returns its answer; empty if it gives none. */
  private static Optional<Object> tell(PluginContext context, LoadReport report) {
    try {
      return Optional.ofNullable(context.ask(report));
    } catch (Exception unheard) {
      LOGGER.warn("The driver was not told how the model's load goes: {}", report, unheard);
      return Optional.empty();
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
