package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import com.codahale.metrics.MetricRegistry;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.metrics.GenerationStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.util.kvstore.InMemoryStore;
import org.junit.jupiter.api.Test;

class EngineMetricsTest {
  private static final Path DOCS = Path.of("..", "docs");

  /** As Spark's Prometheus endpoint spells a gauge of the driver, in the namespace spark_mla. */
  private static final Pattern GAUGE =
      Pattern.compile("metrics_spark_mla_driver_plugin_dev_sparkmla_plugin_MlaPlugin_(\\w+)_Value");

  @Test
  void theDashboardAsksForGaugesThatTheDriverHas() throws Exception {
    String dashboard = Files.readString(DOCS.resolve("grafana-dashboard.json"));
    assertThat(new ObjectMapper().readTree(dashboard).get("panels")).hasSizeGreaterThan(5);
    Set<String> asked = new TreeSet<>();
    Matcher gauges = GAUGE.matcher(dashboard);
    while (gauges.find()) {
      asked.add(gauges.group(1));
    }
    assertThat(asked).hasSizeGreaterThan(10);
    assertThat(
            names().stream()
                .map(name -> name.replaceAll("[^a-zA-Z0-9]", "_"))
                .collect(Collectors.toSet()))
        .containsAll(asked);
  }

  @Test
  void theDocumentationHasAllGauges() throws Exception {
    String page = Files.readString(DOCS.resolve("monitoring.md"));
    assertThat(names())
        .extracting(name -> name.substring("total.".length()))
        .filteredOn(name -> !name.contains("."))
        .allSatisfy(name -> assertThat(page).contains("`" + name + "`"));
  }

  private static Set<String> names() {
    MetricRegistry registry = new MetricRegistry();
    EngineMetrics.register(registry, new GenerationStore(new InMemoryStore()));
    return registry.getNames();
  }
}
