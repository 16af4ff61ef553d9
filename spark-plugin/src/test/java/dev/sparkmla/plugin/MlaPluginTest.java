package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.Gauge;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.RowStatistics;
import dev.sparkmla.plugin.location.ModelUnavailableException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.collection.immutable.Seq$;

class MlaPluginTest {
  @TempDir Path folder;

  private final List<Duration> waited = new ArrayList<>();

  @AfterEach
  void stopEngine() {
    ExecutorEngine.stop();
    ApplicationModel.stop(ApplicationModel.Side.EXECUTOR);
  }

  @Test
  void ownsTheOneEngineOfItsExecutor() {
    List<String> events = new ArrayList<>();
    FakePluginContext context = new FakePluginContext("spark://host:7077");
    MlaExecutorPlugin plugin = plugin((conf, at) -> new Idle(events));
    assertThatThrownBy(ExecutorEngine::current)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("spark.plugins=dev.sparkmla.plugin.MlaPlugin");
    plugin.init(context, Map.of());
    assertThat(ExecutorEngine.current().generator()).isInstanceOf(Idle.class);
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
        plugin(
            (conf, at) -> {
              throw new IllegalStateException("no weights");
            });
    assertThatThrownBy(() -> failing.init(context, Map.of())).hasMessage("no weights");
    plugin((conf, at) -> new Idle(new ArrayList<>())).init(context, Map.of());
    assertThat(context.asked)
        .filteredOn(LoadReport.class::isInstance)
        .containsExactly(
            new LoadReport.Begun("1", "host"),
            new LoadReport.Failed("1", "java.lang.IllegalStateException: no weights"),
            new LoadReport.Begun("1", "host"),
            new LoadReport.Loaded("1", null));
    assertThat(waited).isEmpty();
  }

  @Test
  void tellsTheDriverHowFarALoadIs() {
    FakePluginContext context = new FakePluginContext("spark://host:7077");
    plugin(
            (conf, at) -> {
              assertThat(context.sent.join()).isEqualTo(new LoadReport.Progressed("1", 0));
              return new Idle(new ArrayList<>());
            })
        .init(context, Map.of());
    assertThat(context.sent).isDone();
  }

  @Test
  void doesAsTheDriverSays() {
    FakePluginContext context = new FakePluginContext("spark://host:7077");
    context.answers.add(Duration.ofSeconds(30));
    context.answers.add("the model of executor 1 is another");
    List<String> events = new ArrayList<>();

    assertThatThrownBy(() -> plugin((conf, at) -> new Idle(events)).init(context, Map.of()))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessage("the model of executor 1 is another");

    assertThat(waited).containsExactly(Duration.ofSeconds(30));
    assertThat(events).containsExactly("closed");
    assertThat(context.asked).last().isInstanceOf(LoadReport.Failed.class);
    assertThatThrownBy(ExecutorEngine::current).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void endsAnExecutorWhoseEngineHasFailed() {
    List<Integer> exits = new ArrayList<>();
    MlaExecutorPlugin plugin =
        new MlaExecutorPlugin(
            (conf, at) -> new Idle(new ArrayList<>()), exits::add, () -> "host", waited::add);
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
    ExecutorEngine.start(new Idle(new ArrayList<>())); // as the driver's side does there
    FakePluginContext context = new FakePluginContext("local[4]");
    MlaExecutorPlugin plugin =
        new MlaExecutorPlugin(
            (conf, at) -> new Idle(new ArrayList<>()), exits::add, () -> "host", waited::add);
    plugin.init(context, Map.of());
    assertThat(context.asked).noneMatch(LoadReport.class::isInstance);
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

  /** Heartbeats of local mode's executor begin before its plugins do; a load may take as long. */
  @Test
  void loadsBeforeTheExecutorOfLocalModeIsThere() {
    start(
        local()
            .set("spark.mla.model.path", folder.toString())
            .set("spark.plugins", SlowPlugin.class.getName()));
    assertThat(SlowPlugin.beats).containsExactly(false);
    assertThat(SlowPlugin.descriptions)
        .containsExactly("loading the model on 1 executor: 0 % of the weights read");
    assertThat(ModelLoading.describe()).isEmpty();
  }

  /** Notes whether threads that send heartbeats were there as it loaded. */
  public static final class SlowPlugin extends MlaPlugin {
    static final List<Boolean> beats = new ArrayList<>();
    static final List<String> descriptions = new ArrayList<>();

    @Override
    protected TextGenerator open(MlaConf conf, PluginContext context) {
      beats.add(
          Thread.getAllStackTraces().keySet().stream()
              .anyMatch(thread -> thread.getName().contains("heartbeater")));
      descriptions.add(ModelLoading.describe());
      return new Idle(new ArrayList<>());
    }
  }

  private MlaExecutorPlugin plugin(BiFunction<MlaConf, PluginContext, TextGenerator> opener) {
    return new MlaExecutorPlugin(opener, code -> {}, () -> "host", waited::add);
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
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      return new CompletableFuture<>();
    }

    @Override
    public int maxSequences() {
      return 1;
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
