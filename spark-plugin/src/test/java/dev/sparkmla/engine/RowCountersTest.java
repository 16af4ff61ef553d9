package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RowCountersTest {
  private final RowCounters counters = new RowCounters();

  @Test
  void countsARowWithAllOfItsVariants() {
    counters.add(new GenerationResult[] {generated(6, 2), generated(6, 3)}, Duration.ofMillis(12));
    RowStatistics rows = counters.read();
    assertThat(rows.finished()).isEqualTo(1);
    assertThat(rows.failed()).isZero();
    assertThat(rows.promptTokens().quantile(1)).isEqualTo(Histogram.bucket(6));
    assertThat(rows.outputTokens().quantile(1)).isEqualTo(Histogram.bucket(5));
    assertThat(rows.milliseconds().quantile(1)).isEqualTo(Histogram.bucket(12));
  }

  @Test
  void keepsTheFirstErrorsOfEachCode() {
    for (int i = 1; i <= 5; i++) {
      counters.add(failed(ErrorCode.PROMPT_TOO_LONG, "long " + i), Duration.ZERO);
    }
    counters.add(failed(ErrorCode.EMPTY_PROMPT, "e".repeat(1000)), Duration.ZERO);
    RowStatistics rows = counters.read();
    assertThat(rows.finished()).isEqualTo(6);
    assertThat(rows.failed()).isEqualTo(6);
    assertThat(rows.errors())
        .isEqualTo(Map.of(ErrorCode.PROMPT_TOO_LONG, 5L, ErrorCode.EMPTY_PROMPT, 1L));
    assertThat(rows.examples())
        .extracting(RowFailure::message)
        .startsWith("long 1", "long 2", "long 3")
        .hasSize(4);
    assertThat(rows.examples().get(3).message()).hasSize(303).endsWith("e...");
    assertThat(rows.milliseconds()).isEqualTo(Histogram.EMPTY);
  }

  @Test
  void sumsKeepAsManyExamplesAsOne() {
    for (int i = 1; i <= 3; i++) {
      counters.add(failed(ErrorCode.EMPTY_PROMPT, "no text"), Duration.ZERO);
    }
    RowStatistics sum = counters.read().plus(counters.read());
    assertThat(sum.failed()).isEqualTo(6);
    assertThat(sum.examples()).hasSize(RowStatistics.EXAMPLES);
  }

  private static GenerationResult generated(int promptTokens, int outputTokens) {
    return new GenerationResult(
        "text",
        Optional.empty(),
        FinishReason.STOP,
        promptTokens,
        0,
        outputTokens,
        Optional.empty());
  }

  private static GenerationResult[] failed(ErrorCode code, String message) {
    return new GenerationResult[] {GenerationResult.refused(new GenerationError(code, message))};
  }
}
