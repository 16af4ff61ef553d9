package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.Gauge;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.RowStatistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.collection.immutable.Seq$;

class MlaPluginTest {
  @TempDir Path folder;

  @AfterEach
  void stopEngine() {
    ExecutorEngine.stop();
  }

  @Test
  void ownsTheOneEngineOfItsExecutor() {
    List<String> events = new ArrayList<>();
    FakePluginContext context = new FakePluginContext("spark://host:7077");
    MlaExecutorPlugin plugin = new MlaExecutorPlugin((conf, at) -> new Idle(events), code -> {});
    assertThatThrownBy(ExecutorEngine::current)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("spark.plugins=dev.sparkmla.plugin.MlaPlugin");
    plugin.init(context, Map.of());
    assertThat(ExecutorEngine.current()).isInstanceOf(Idle.class);
    assertThat(((Gauge<?>) context.registry.getMetrics().get("outputTokens")).getValue())
        .isEqualTo(6L);
    plugin.shutdown();
    plugin.shutdown();
    assertThat(events).containsExactly("closed");
    assertThatThrownBy(ExecutorEngine::current).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void tellsTheDriverHowTheLoadWent() {
    FakePluginContext context = new FakePluginContext("spark://host:7077");
    MlaExecutorPlugin failing =
        new MlaExecutorPlugin(
            (conf, at) -> {
              throw new IllegalStateException("no weights");
            },
            code -> {});
    assertThatThrownBy(() -> failing.init(context, Map.of())).hasMessage("no weights");
    new MlaExecutorPlugin((conf, at) -> new Idle(new ArrayList<>()), code -> {})
        .init(context, Map.of());
    assertThat(context.asked)
        .filteredOn(LoadReport.class::isInstance)
        .containsExactly(
            new LoadReport("1", "java.lang.IllegalStateException: no weights"),
            new LoadReport("1", null));
  }

  @Test
  void endsJobsWhenNoExecutorCanLoad() {
    LoadReports reports = new LoadReports();
    for (int i = 1; i < LoadReports.FAILURES; i++) {
      assertThat(reports.add(new LoadReport("1", "no weights"))).isEmpty();
    }
    assertThat(reports.add(new LoadReport("4", "no weights")))
        .contains("The model cannot be loaded on executor 4: no weights");
    assertThat(reports.add(new LoadReport("5", "no weights"))).isPresent();
  }

  @Test
  void leavesJobsAloneOnceAnExecutorHasLoaded() {
    LoadReports reports = new LoadReports();
    assertThat(reports.add(new LoadReport("0", null))).isEmpty();
    for (int i = 0; i < 2 * LoadReports.FAILURES; i++) {
      assertThat(reports.add(new LoadReport("1", "no weights"))).isEmpty();
    }
  }

  @Test
  void endsAnExecutorWhoseEngineHasFailed() {
    List<Integer> exits = new ArrayList<>();
    MlaExecutorPlugin plugin =
        new MlaExecutorPlugin((conf, at) -> new Idle(new ArrayList<>()), exits::add);
    plugin.init(new FakePluginContext("spark://host:7077"), Map.of());
    plugin.onTaskFailed(failure(new IllegalStateException("another")));
    assertThat(exits).isEmpty();
    plugin.onTaskFailed(
        failure(
            new RuntimeException(
                "written", new EngineFailedException(new IllegalStateException("lost")))));
    assertThat(exits).containsExactly(MlaExecutorPlugin.ENGINE_FAILED);
  }

  @Test
  void leavesTheApplicationAliveInLocalMode() {
    List<Integer> exits = new ArrayList<>();
    MlaExecutorPlugin plugin =
        new MlaExecutorPlugin((conf, at) -> new Idle(new ArrayList<>()), exits::add);
    plugin.init(new FakePluginContext("local[4]"), Map.of());
    plugin.onTaskFailed(failure(new EngineFailedException(new IllegalStateException("lost"))));
    assertThat(exits).isEmpty();
  }

  @Test
  void failsTheStartWithoutAModel() {
    assertThatThrownBy(() -> start(local()))
        .hasStackTraceContaining("spark.mla.model.path is not set: expected a Hugging Face");
    String missing = folder.resolve("missing").toString();
    assertThatThrownBy(() -> start(local().set("spark.mla.model.path", missing)))
        .hasStackTraceContaining("spark.mla.model.path is '" + missing + "': expected a Hugging");
  }

  @Test
  void failsTheStartWithWhatTheModelLacks() {
    assertThatThrownBy(() -> start(local().set("spark.mla.model.path", folder.toString())))
        .hasStackTraceContaining("config.json");
    assertThatThrownBy(ExecutorEngine::current).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void refusesAnUnknownSettingAtTheStart() {
    assertThatThrownBy(() -> start(local().set("spark.mla.modelpath", "x")))
        .hasStackTraceContaining("spark.mla.modelpath is 'x': expected one of");
  }

  @Test
  void refusesTaskGpusInLocalMode() {
    assertThatThrownBy(
            () ->
                start(
                    local()
                        .set("spark.mla.model.path", folder.toString())
                        .set("spark.executor.resource.gpu.amount", "1")
                        .set("spark.task.resource.gpu.amount", "1")))
        .hasStackTraceContaining("spark.task.resource.gpu.amount is '1': expected no such setting")
        .hasStackTraceContaining("spark.mla.device");
  }

  @Test
  void knowsItselfAmongAnApplicationsPlugins() {
    assertThat(MlaPlugin.isIn(new SparkConf(false))).isFalse();
    assertThat(MlaPlugin.isIn(new SparkConf(false).set("spark.plugins", "java.lang.String")))
        .isFalse();
    assertThat(
            MlaPlugin.isIn(
                new SparkConf(false)
                    .set("spark.plugins", "not.There, " + MlaPlugin.class.getName())))
        .isTrue();
  }

  private static SparkConf local() {
    return new SparkConf(false)
        .setMaster("local[1]")
        .setAppName("test")
        .set("spark.ui.enabled", "false")
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.plugins", MlaPlugin.class.getName());
  }

  private static void start(SparkConf conf) {
    SparkSession.builder().config(conf).getOrCreate().stop();
  }

  private static TaskFailedReason failure(Exception cause) {
    return new ExceptionFailure(cause, Seq$.MODULE$.empty());
  }

  /** An engine at rest. */
  private record Idle(List<String> events) implements TextGenerator {
    @Override
    public CompletableFuture<ResultBatch> submit(RequestBatch requests) {
      return new CompletableFuture<>();
    }

    @Override
    public EngineStatistics statistics() {
      return new EngineStatistics(0, 0, RowStatistics.NONE, 2, 3, 4, 5, 6, 7, 8, 9, 9);
    }

    @Override
    public void close() {
      events.add("closed");
    }
  }
}
