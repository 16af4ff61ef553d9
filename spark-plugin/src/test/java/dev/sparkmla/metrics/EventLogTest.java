package dev.sparkmla.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.sql.MlaExtensions;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.ReplayListenerBus;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.scheduler.SparkListenerExecutorAdded;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.kvstore.InMemoryStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a history server reads of an event log is what the running application has shown. */
class EventLogTest {
  private static final InMemoryStore RUNNING = new InMemoryStore();

  @TempDir Path folder;

  /** Keeps what the running application shows; Spark empties its own store as it stops. */
  public static final class FromTheStart extends SparkListener {
    private final GenerationListener listener =
        new GenerationListener(new SparkConf(false), RUNNING);

    @Override
    public void onExecutorAdded(SparkListenerExecutorAdded added) {
      listener.onExecutorAdded(added);
    }

    @Override
    public void onOtherEvent(SparkListenerEvent event) {
      listener.onOtherEvent(event);
    }
  }

  @Test
  void givesTheSameNumbersAsTheRunningApplication() throws Exception {
    Path logs = Files.createDirectory(folder.resolve("logs"));
    SparkSession spark = SparkSession.builder().config(conf(logs)).getOrCreate();
    try {
      SparkContext context = spark.sparkContext();
      spark
          .sql(
              "select llm_generate(if(id < 2, '', concat('text ', id)), map('max_tokens', '5'))"
                  + " from range(0, 20, 1, 3)")
          .collectAsList();
      context.listenerBus().post(new RunProgress("out", 1, 2, 3, 4));
      context.listenerBus().waitUntilEmpty();
      EngineStatistics totals = new GenerationStore(context.statusStore().store()).totals();
      assertThat(totals.finished()).isEqualTo(20);
      assertThat(totals.rows().errors()).isEqualTo(Map.of(ErrorCode.EMPTY_PROMPT, 2L));
      assertThat(totals.rows().examples()).hasSize(2);
      assertThat(totals.rows().milliseconds().total()).isEqualTo(18);
      assertThat(totals.outputTokens()).isPositive();
      assertThat(totals.steppingNanos()).isPositive();
      assertThat(page(context))
          .contains(
              "Rows done</div><div class=\"fs-5\">3<",
              "<td>EMPTY_PROMPT</td><td class=\"text-end\">2</td>");
    } finally {
      spark.stop();
    }
    GenerationStore ofRunning = new GenerationStore(RUNNING);
    GenerationStore ofLog = replay(logs);
    assertThat(ofLog.totals()).isEqualTo(ofRunning.totals());
    assertThat(ofLog.totals().finished()).isEqualTo(20);
    assertThat(ofLog.executors()).isEqualTo(ofRunning.executors());
    assertThat(ofLog.executors())
        .singleElement()
        .satisfies(
            executor -> {
              assertThat(executor.host()).isNotEmpty();
              assertThat(executor.report().devices()).containsExactly("processor");
              assertThat(executor.report().gpus()).isZero();
            });
    assertThat(ofLog.moments()).isEqualTo(ofRunning.moments()).isNotEmpty();
    assertThat(ofLog.runs()).containsExactly(new RunProgress("out", 1, 2, 3, 4));
  }

  /** What the running application shows under the tab Generation. */
  private static String page(SparkContext context) throws Exception {
    URI page = URI.create(context.uiWebUrl().get() + "/generation/");
    return HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(page).build(), HttpResponse.BodyHandlers.ofString())
        .body();
  }

  private static GenerationStore replay(Path logs) throws Exception {
    InMemoryStore records = new InMemoryStore();
    ReplayListenerBus bus = new ReplayListenerBus();
    bus.addListener(new GenerationListener(new SparkConf(false), records));
    try (Stream<Path> files = Files.list(logs)) {
      Path log = files.filter(file -> !file.toString().endsWith(".crc")).findFirst().orElseThrow();
      try (InputStream events = Files.newInputStream(log)) {
        assertThat(bus.replay(events, log.toString(), false, bus.replay$default$4())).isTrue();
      }
    }
    return new GenerationStore(records);
  }

  private static SparkConf conf(Path logs) {
    return new SparkConf(false)
        .setMaster("local[2]")
        .setAppName("event log")
        .set("spark.ui.port", "0")
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.extraListeners", FromTheStart.class.getName())
        .set("spark.eventLog.enabled", "true")
        .set("spark.eventLog.dir", logs.toUri().toString())
        .set("spark.eventLog.rolling.enabled", "false")
        .set("spark.eventLog.compress", "false")
        .set("spark.plugins", MlaPlugin.class.getName())
        .set("spark.sql.extensions", MlaExtensions.class.getName())
        .set("spark.mla.backend", "cpu")
        .set("spark.mla.metrics.interval", "100ms")
        .set("spark.mla.kvcache.size", "16m")
        .set(
            "spark.mla.model.path",
            GoldenCheckpoint.all().get(0).folder().toAbsolutePath().toString());
  }
}
