package dev.sparkmla.plugin;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.metrics.GenerationStore;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Registers gauges of what engines do in Spark's metrics system, under the plugin's name. On an
 * executor each figure has a gauge for the sum over its engines, and one for each GPU with the
 * GPU's UUID as its prefix, such as {@code GPU-1b22c9d4-....outputTokens}. On the driver each
 * figure has a gauge for the sum over all executors, such as {@code total.outputTokens}.
 */
final class EngineMetrics {
  private static final Map<String, Function<EngineStatistics, Number>> FIGURES =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("waiting", EngineStatistics::waiting),
              Map.entry("running", EngineStatistics::running),
              Map.entry("finished", EngineStatistics::finished),
              Map.entry("failed", statistics -> statistics.rows().failed()),
              Map.entry("steps", EngineStatistics::steps),
              Map.entry("steppingNanos", EngineStatistics::steppingNanos),
              Map.entry("promptTokens", EngineStatistics::promptTokens),
              Map.entry("cachedTokens", EngineStatistics::cachedTokens),
              Map.entry("outputTokens", EngineStatistics::outputTokens),
              Map.entry("computedTokens", EngineStatistics::computedTokens),
              Map.entry("preemptions", EngineStatistics::preemptions),
              Map.entry("cacheBlocks", EngineStatistics::cacheBlocks),
              Map.entry("availableBlocks", EngineStatistics::availableBlocks)));

  static {
    for (ErrorCode code : ErrorCode.values()) {
      FIGURES.put(
          "failed." + code, statistics -> statistics.rows().errors().getOrDefault(code, 0L));
    }
  }

  private EngineMetrics() {}

  /** Registers an executor's gauges. */
  static void register(MetricRegistry registry, TextGenerator generator) {
    register(registry, "", generator::statistics);
    for (String gpu : generator.gpuStatistics().keySet()) {
      register(registry, gpu + ".", () -> generator.gpuStatistics().get(gpu));
    }
  }

  /** Registers the driver's gauges. */
  static void register(MetricRegistry registry, GenerationStore store) {
    register(registry, "total.", store::totals);
  }

  private static void register(
      MetricRegistry registry, String prefix, Supplier<EngineStatistics> statistics) {
    FIGURES.forEach(
        (name, figure) ->
            registry.register(prefix + name, (Gauge<Number>) () -> figure.apply(statistics.get())));
  }
}
