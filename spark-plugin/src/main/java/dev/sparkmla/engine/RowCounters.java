package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Counts rows as they end. Thread-safe. */
final class RowCounters {
  private long finished;
  private final Map<ErrorCode, Long> errors = new EnumMap<>(ErrorCode.class);
  private final List<RowFailure> examples = new ArrayList<>();
  private final long[] promptTokens = newCounts();
  private final long[] outputTokens = newCounts();
  private final long[] milliseconds = newCounts();

  private static long[] newCounts() {
    return new long[Histogram.bucket(Long.MAX_VALUE) + 1];
  }

  /**
   * Counts a row.
   *
   * @param variants the results of its variants, at least one
   * @param time since the engine took it
   */
  synchronized void add(GenerationResult[] variants, Duration time) {
    finished++;
    Optional<GenerationError> error =
        Arrays.stream(variants).flatMap(variant -> variant.error().stream()).findFirst();
    if (error.isPresent()) {
      add(error.get());
    } else {
      promptTokens[Histogram.bucket(variants[0].promptTokens())]++;
      int output = Arrays.stream(variants).mapToInt(GenerationResult::outputTokens).sum();
      outputTokens[Histogram.bucket(output)]++;
      milliseconds[Histogram.bucket(time.toMillis())]++;
    }
  }

  private void add(GenerationError error) {
    long sameCode = errors.merge(error.code(), 1L, Long::sum);
    if (sameCode <= RowStatistics.EXAMPLES) {
      examples.add(RowFailure.of(error.code(), error.message()));
    }
  }

  /** What was counted. */
  synchronized RowStatistics read() {
    return new RowStatistics(
        finished,
        errors,
        examples,
        Histogram.of(promptTokens),
        Histogram.of(outputTokens),
        Histogram.of(milliseconds));
  }
}
