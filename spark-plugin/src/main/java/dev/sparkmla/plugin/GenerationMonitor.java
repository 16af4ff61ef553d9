package dev.sparkmla.plugin;

import com.codahale.metrics.MetricRegistry;
import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.metrics.GenerationListener;
import dev.sparkmla.metrics.GenerationStore;
import dev.sparkmla.ui.GenerationTab;
import java.time.Duration;
import org.apache.spark.SparkContext;
import org.apache.spark.util.kvstore.KVStore;

/**
 * Receives the engines' reports in the driver. It posts each one to Spark's listener bus, where
 * {@link GenerationListener} keeps what gauges and pages show, and Spark writes the event log.
 * Thread-safe.
 */
final class GenerationMonitor {
  /** How many reports a second the driver asks for at most, from all executors together. */
  static final int MOST_REPORTS = 4;

  private final SparkContext application;
  private final Duration interval;
  private final GenerationStore store;

  private GenerationMonitor(SparkContext application, Duration interval, KVStore store) {
    this.application = application;
    this.interval = interval;
    this.store = new GenerationStore(store);
  }

  /**
   * Begins to keep the reports, and adds the page to the application's web interface if it has one.
   */
  static GenerationMonitor start(SparkContext application, MlaConf conf) {
    KVStore store = application.statusStore().store();
    application.listenerBus().addToStatusQueue(new GenerationListener(application.conf(), store));
    GenerationMonitor monitor =
        new GenerationMonitor(application, conf.get(MlaConf.METRICS_INTERVAL), store);
    if (application.ui().isDefined()) {
      GenerationTab.attach(monitor.store, application.ui().get());
    }
    return monitor;
  }

  /**
   * Posts a report.
   *
   * @return how long the executor should wait until its next one
   */
  Duration take(EngineReport report) {
    application.listenerBus().post(report);
    int processes = application.statusTracker().getExecutorInfos().length;
    Duration share = Duration.ofMillis(1000L * processes / MOST_REPORTS);
    return interval.compareTo(share) > 0 ? interval : share;
  }

  /** Registers the driver's gauges. */
  void register(MetricRegistry registry) {
    EngineMetrics.register(registry, store);
  }
}
