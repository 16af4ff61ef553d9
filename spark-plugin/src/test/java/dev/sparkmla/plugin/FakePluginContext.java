package dev.sparkmla.plugin;

import com.codahale.metrics.MetricRegistry;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.SparkConf;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.resource.ResourceInformation;

/** What an executor's plugin is told: its master and its GPUs. It keeps what it is asked. */
final class FakePluginContext implements PluginContext {
  final MetricRegistry registry = new MetricRegistry();
  final List<Object> asked = new ArrayList<>();

  /** The first message that needs no answer. */
  final CompletableFuture<Object> sent = new CompletableFuture<>();

  /** The driver's, one for each question. */
  final Queue<Object> answers = new ArrayDeque<>();

  private final SparkConf conf;
  private final Map<String, ResourceInformation> resources;

  FakePluginContext(String master, String... gpus) {
    conf = new SparkConf(false).setMaster(master);
    resources = gpus.length == 0 ? Map.of() : Map.of("gpu", new ResourceInformation("gpu", gpus));
  }

  @Override
  public MetricRegistry metricRegistry() {
    return registry;
  }

  @Override
  public SparkConf conf() {
    return conf;
  }

  @Override
  public String executorID() {
    return "1";
  }

  @Override
  public String hostname() {
    throw new IllegalStateException("Spark 4.2 knows none on an executor");
  }

  @Override
  public Map<String, ResourceInformation> resources() {
    return resources;
  }

  @Override
  public void send(Object message) {
    sent.complete(message);
  }

  @Override
  public Object ask(Object message) {
    asked.add(message);
    return answers.poll();
  }
}
