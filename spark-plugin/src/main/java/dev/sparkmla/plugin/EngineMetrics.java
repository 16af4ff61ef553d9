package dev.sparkmla.plugin;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.sparkmla.engine.EngineStatistics;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What an executor's engines do, in Spark's metrics system, under the plugin's name: a gauge for
 * each figure over all of them, and one for each GPU with the GPU's UUID before it, such as {@code
 * GPU-1b22c9d4-....outputTokens}.
 */
final class EngineMetrics {
  private static final Map<String, Function<EngineStatistics, Number>> FIGURES =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("waiting", EngineStatistics::waiting),
              Map.entry("running", EngineStatistics::running),
              Map.entry("finished", EngineStatistics::finished),
              Map.entry("steps", EngineStatistics::steps),
              Map.entry("promptTokens", EngineStatistics::promptTokens),
              Map.entry("cachedTokens", EngineStatistics::cachedTokens),
              Map.entry("outputTokens", EngineStatistics::outputTokens),
              Map.entry("computedTokens", EngineStatistics::computedTokens),
              Map.entry("preemptions", EngineStatistics::preemptions),
              Map.entry("cacheBlocks", EngineStatistics::cacheBlocks),
              Map.entry("availableBlocks", EngineStatistics::availableBlocks)));

  private EngineMetrics() {}

  /** Registers the gauges. */
  static void register(MetricRegistry registry, TextGenerator generator) {
    register(registry, "", generator::statistics);
    for (String gpu : generator.gpuStatistics().keySet()) {
      register(registry, gpu + ".", () -> generator.gpuStatistics().get(gpu));
    }
  }

  private static void register(
      MetricRegistry registry, String prefix, Supplier<EngineStatistics> statistics) {
    FIGURES.forEach(
        (name, figure) ->
            registry.register(prefix + name, (Gauge<Number>) () -> figure.apply(statistics.get())));
  }
}
