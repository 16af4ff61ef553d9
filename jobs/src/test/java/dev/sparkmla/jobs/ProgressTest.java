package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.RowStatistics;
import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.metrics.ExecutorRecord;
import dev.sparkmla.metrics.Rates;
import dev.sparkmla.sql.MlaExtensions;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class ProgressTest {
  @Test
  void countsWhatTheOperatorCounts() throws TimeoutException {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.plugins", EchoPlugin.class.getName())
            .config("spark.sql.extensions", MlaExtensions.class.getName())
            .getOrCreate();
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(written, true, StandardCharsets.UTF_8);
        StatusLine status = new StatusLine(out, true);
        Progress progress = new Progress(spark.sparkContext(), "out", 5, 15)) {
      status.show(() -> progress.line().toString());
      spark
          .range(0, 10, 1, 2)
          .selectExpr("llm_generate(concat('row ', id)).text AS text")
          .collectAsList();
      spark.sparkContext().listenerBus().waitUntilEmpty();

      ProgressLine line = progress.line();

      assertThat(line.done()).isEqualTo(15);
      assertThat(line.total()).isEqualTo(15);
      assertThat(line.tokens()).isEqualTo(10L * ("row 0".length() + 2));
      status.print();
    } finally {
      spark.stop();
    }
    assertThat(written.toString(StandardCharsets.UTF_8))
        .contains("\r15 of 15 rows (100 %)")
        .endsWith(" \r")
        .doesNotContain("\n");
  }

  @Test
  void aLogGetsALineWhereThereIsSomethingToSay() {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(written, true, StandardCharsets.UTF_8);
        StatusLine status = new StatusLine(out, false)) {
      status.print();
      status.show(() -> "loading");
      status.print();
    }
    assertThat(written.toString(StandardCharsets.UTF_8).lines()).containsExactly("loading");
  }

  @Test
  void saysRowsTokensAndTimeLeft() {
    assertThat(new ProgressLine(0, 250, 1000, 0, 0, 12_000, Duration.ofSeconds(60)))
        .hasToString("250 of 1,000 rows (25 %), 200 tokens/s, 3:00 left");
    assertThat(new ProgressLine(0, 0, 1000, 0, 0, 0, Duration.ZERO))
        .hasToString("0 of 1,000 rows (0 %), 0 tokens/s, time left unknown");
    assertThat(new ProgressLine(0, 10, 5000, 0, 0, 100, Duration.ofSeconds(10)))
        .hasToString("10 of 5,000 rows (0 %), 10 tokens/s, 1:23:10 left");
    assertThat(new ProgressLine(0, 9, 5000, 0, 0, 100, Duration.ofSeconds(10)))
        .hasToString("9 of 5,000 rows (0 %), 10 tokens/s, time left unknown");
    assertThat(new ProgressLine(7, 9, 9, 0, 0, 100, Duration.ofSeconds(10)))
        .hasToString("9 of 9 rows (100 %), 10 tokens/s, 0:00 left");
    assertThat(new ProgressLine(500, 500, 1000, 0, 0, 0, Duration.ofSeconds(60)))
        .hasToString("500 of 1,000 rows (50 %), 0 tokens/s, time left unknown");
    assertThat(new ProgressLine(500, 750, 1000, 0, 0, 12_000, Duration.ofSeconds(60)))
        .hasToString("750 of 1,000 rows (75 %), 200 tokens/s, 1:00 left");
    assertThat(new ProgressLine(0, 1000, 1000, 0, 0, 100, Duration.ofSeconds(1)).left()).isZero();
  }

  @Test
  void saysWhatRunsAndNoTimeLeftWhereNoOtherRowIsToCome() {
    assertThat(new ProgressLine(0, 250, 1000, 64, 64, 12_000, Duration.ofSeconds(60)))
        .hasToString("250 of 1,000 rows (25 %), 64 sequences running, 200 tokens/s, 3:00 left");
    assertThat(new ProgressLine(0, 999, 1000, 1, 0, 12_000, Duration.ofSeconds(60)))
        .hasToString(
            "999 of 1,000 rows (99 %), 1 sequence running, 200 tokens/s, time left unknown");
    assertThat(new ProgressLine(0, 900, 1000, 128, 40, 12_000, Duration.ofSeconds(60)))
        .as("with variants, fewer rows than sequences")
        .hasToString("900 of 1,000 rows (90 %), 128 sequences running, 200 tokens/s, 0:06 left");
  }

  @Test
  void asksTheEngines() throws Exception {
    SparkSession spark =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").getOrCreate();
    try (Progress progress = new Progress(spark.sparkContext(), "out", 0, 15)) {
      EngineStatistics statistics =
          new EngineStatistics(3, 2, RowStatistics.NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      EngineReport report = new EngineReport("1", 2, "", List.of("a device"), 0, statistics);
      spark
          .sparkContext()
          .statusStore()
          .store()
          .write(new ExecutorRecord("1", "a host", 1, 0, "", report, Rates.NONE));

      assertThat(progress.line().running()).isEqualTo(2);
      assertThat(progress.line().waiting()).isEqualTo(3);
    } finally {
      spark.stop();
    }
  }
}
