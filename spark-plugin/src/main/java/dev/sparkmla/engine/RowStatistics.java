package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The rows that ended with a result, in error or not; rows with a NULL prompt are not among them.
 * Immutable.
 *
 * @param finished how many
 * @param errors how many of them ended in error, by code
 * @param examples the first few of those of each code
 * @param promptTokens tokens of the prompts of rows without error
 * @param outputTokens tokens generated for these rows, all variants of a row together
 * @param milliseconds from when the engine took these rows, each with its batch, until they had
 *     their results: being tokenized, waiting and being computed
 */
public record RowStatistics(
    long finished,
    Map<ErrorCode, Long> errors,
    List<RowFailure> examples,
    Histogram promptTokens,
    Histogram outputTokens,
    Histogram milliseconds)
    implements Serializable {
  /** How many examples of a code there are at most. */
  public static final int EXAMPLES = 3;

  /** Without a row. */
  public static final RowStatistics NONE =
      new RowStatistics(0, Map.of(), List.of(), Histogram.EMPTY, Histogram.EMPTY, Histogram.EMPTY);

  /** Copies map and list. */
  public RowStatistics {
    errors = Collections.unmodifiableMap(new TreeMap<>(errors));
    examples = List.copyOf(examples);
  }

  /** Rows that ended in error. */
  public long failed() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }

  /** These rows and others. */
  public RowStatistics plus(RowStatistics other) {
    Map<ErrorCode, Long> codes = new TreeMap<>(errors);
    other.errors.forEach((code, count) -> codes.merge(code, count, Long::sum));
    List<RowFailure> failures = new ArrayList<>(examples);
    for (RowFailure failure : other.examples) {
      if (failures.stream().filter(one -> one.code() == failure.code()).count() < EXAMPLES) {
        failures.add(failure);
      }
    }
    return new RowStatistics(
        finished + other.finished,
        codes,
        failures,
        promptTokens.plus(other.promptTokens),
        outputTokens.plus(other.outputTokens),
        milliseconds.plus(other.milliseconds));
  }
}
