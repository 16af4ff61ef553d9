package dev.sparkmla.plugin;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.sparkmla.engine.EngineStatistics;
import java.util.function.Function;

/** What an executor's engine does, in Spark's metrics system, under the plugin's name. */
final class EngineMetrics {
  private EngineMetrics() {}

  /** Registers a gauge for each figure. */
  static void register(MetricRegistry registry, TextGenerator generator) {
    gauge(registry, "waiting", generator, EngineStatistics::waiting);
    gauge(registry, "running", generator, EngineStatistics::running);
    gauge(registry, "finished", generator, EngineStatistics::finished);
    gauge(registry, "steps", generator, EngineStatistics::steps);
    gauge(registry, "promptTokens", generator, EngineStatistics::promptTokens);
    gauge(registry, "cachedTokens", generator, EngineStatistics::cachedTokens);
    gauge(registry, "outputTokens", generator, EngineStatistics::outputTokens);
    gauge(registry, "computedTokens", generator, EngineStatistics::computedTokens);
    gauge(registry, "preemptions", generator, EngineStatistics::preemptions);
    gauge(registry, "cacheBlocks", generator, EngineStatistics::cacheBlocks);
    gauge(registry, "availableBlocks", generator, EngineStatistics::availableBlocks);
  }

  private static void gauge(
      MetricRegistry registry,
      String name,
      TextGenerator generator,
      Function<EngineStatistics, Number> figure) {
    registry.register(name, (Gauge<Number>) () -> figure.apply(generator.statistics()));
  }
}
