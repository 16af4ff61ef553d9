package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.sql.MlaExtensions;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
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
        Progress progress = new Progress(spark.sparkContext(), out, true, "out", 5, 15)) {
      progress.start();
      spark
          .range(0, 10, 1, 2)
          .selectExpr("llm_generate(concat('row ', id)).text AS text")
          .collectAsList();
      spark.sparkContext().listenerBus().waitUntilEmpty();

      ProgressLine line = progress.line();

      assertThat(line.done()).isEqualTo(15);
      assertThat(line.total()).isEqualTo(15);
      assertThat(line.tokens()).isEqualTo(10L * ("row 0".length() + 2));
    } finally {
      spark.stop();
    }
    assertThat(written.toString(StandardCharsets.UTF_8)).endsWith("\r").doesNotContain("\n");
  }

  @Test
  void saysRowsTokensAndTimeLeft() {
    assertThat(new ProgressLine(0, 250, 1000, 12_000, Duration.ofSeconds(60)))
        .hasToString("250 of 1,000 rows (25 %), 200 tokens/s, 3:00 left");
    assertThat(new ProgressLine(0, 0, 1000, 0, Duration.ZERO))
        .hasToString("0 of 1,000 rows (0 %), 0 tokens/s, time left unknown");
    assertThat(new ProgressLine(0, 1, 5000, 100, Duration.ofSeconds(1)))
        .hasToString("1 of 5,000 rows (0 %), 100 tokens/s, 1:23:19 left");
    assertThat(new ProgressLine(500, 500, 1000, 0, Duration.ofSeconds(60)))
        .hasToString("500 of 1,000 rows (50 %), 0 tokens/s, time left unknown");
    assertThat(new ProgressLine(500, 750, 1000, 12_000, Duration.ofSeconds(60)))
        .hasToString("750 of 1,000 rows (75 %), 200 tokens/s, 1:00 left");
    assertThat(new ProgressLine(0, 1000, 1000, 100, Duration.ofSeconds(1)).left()).isZero();
  }
}
