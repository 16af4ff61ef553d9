package dev.sparkmla.plugin;

import dev.sparkmla.metrics.EngineReport;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.util.ThreadUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports to the driver what an executor's engines do: repeatedly while that changes, whenever a
 * task ends, and once when it is closed. The driver answers how long to wait until the next report.
 *
 * <p>Thread-safe. The engines stay their owner's; this must be closed before them.
 */
final class EngineReporter implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(EngineReporter.class);

  private final PluginContext context;
  private final String model;
  private final TextGenerator generator;
  private final ScheduledExecutorService clock =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("mla-report");
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

  /**
   * Sends a first report, by which the driver knows that the model is loaded, and begins to report
   * repeatedly.
   */
  static EngineReporter start(PluginContext context, MlaConf conf, TextGenerator generator) {
    String model = ApplicationModel.name(context.conf()).orElse("");
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
   * Sends a report if the figures have changed since the last one. If reports were left out before,
   * because nothing had changed, the last unchanged figures are sent first with their time.
   * Otherwise the driver would compute rates over the idle time too.
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

  /**
   * Stops reporting. Sends a last report if the figures have changed, without waiting for the
   * driver.
   */
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
      context.send(new LastReport(last));
    } catch (Exception unheard) { // Spark's interface declares it.
      LOGGER.debug("The driver did not hear the last report", unheard);
    }
  }
}
