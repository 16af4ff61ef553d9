package dev.sparkmla.plugin;

import dev.sparkmla.metrics.EngineReport;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the driver what an executor's engines do: again and again while it changes, as each task
 * ends, and once at the end. The driver answers how long to wait until the next report.
 *
 * <p>Thread-safe. It does not own the engines, and is closed before they are.
 */
final class EngineReporter implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(EngineReporter.class);

  private final PluginContext context;
  private final String model;
  private final TextGenerator generator;
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "mla-report");
            thread.setDaemon(true);
            return thread;
          });
  private Duration pause;
  private EngineReport seen;
  private boolean told;

  private EngineReporter(
      PluginContext context, MlaConf conf, String model, TextGenerator generator) {
    this.context = context;
    this.model = model;
    this.generator = generator;
    this.pause = conf.get(MlaConf.METRICS_INTERVAL);
  }

  /** Reports that the model is loaded, and begins to report what is done with it. */
  static EngineReporter start(PluginContext context, MlaConf conf, TextGenerator generator) {
    String model = conf.has(MlaConf.MODEL_PATH) ? conf.get(MlaConf.MODEL_PATH).toString() : "";
    EngineReporter reporter = new EngineReporter(context, conf, model, generator);
    reporter.reportAgain();
    return reporter;
  }

  private void reportAgain() {
    report();
    try {
      ScheduledFuture<?> unused =
          clock.schedule(this::reportAgain, pause().toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException closed) {
      // The last report is on its way.
    }
  }

  private synchronized Duration pause() {
    return pause;
  }

  /**
   * Tells the driver what is new, if anything is. After a rest, it tells first until when there was
   * nothing new, so that what is done now is not spread over that time.
   */
  synchronized void report() {
    EngineReport now = read();
    if (seen != null && seen.statistics().equals(now.statistics())) {
      seen = now;
      told = false;
      return;
    }
    if (seen != null && !told) {
      tell(seen);
    }
    seen = now;
    told = true;
    tell(now);
  }

  private void tell(EngineReport report) {
    try {
      if (context.ask(report) instanceof Duration next) {
        pause = next;
      }
    } catch (Exception unheard) { // Spark's interface declares it.
      LOGGER.debug("The driver did not hear a report", unheard);
    }
  }

  private EngineReport read() {
    return new EngineReport(
        context.executorID(),
        System.currentTimeMillis(),
        model,
        generator.devices(),
        generator.gpuStatistics().size(),
        generator.statistics());
  }

  /** Sends a last report, which nobody waits for. */
  @Override
  public void close() {
    clock.shutdownNow();
    EngineReport last = read();
    synchronized (this) {
      if (last.statistics().equals(seen.statistics())) {
        return;
      }
    }
    try {
      context.send(last);
    } catch (Exception unheard) { // Spark's interface declares it.
      LOGGER.debug("The driver did not hear the last report", unheard);
    }
  }
}
