package dev.sparkmla.jobs;

import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.jobs.input.Documents;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What a job has done, counted in what it wrote.
 *
 * @param rows rows written
 * @param errors rows in error by their code
 * @param promptTokens tokens of all prompts that were read, so but for those that are too long
 * @param cachedTokens how many of them were in the cache
 * @param outputTokens tokens generated
 * @param earlierRows how many rows earlier runs have generated
 * @param tokens read and generated in this run
 * @param time how long this run's rows took
 */
record Summary(
    long rows,
    Map<String, Long> errors,
    long promptTokens,
    long cachedTokens,
    long outputTokens,
    long earlierRows,
    long tokens,
    Duration time) {

  /** Counts an output that one run has written. */
  static Summary of(Dataset<Row> written, Results results, Duration time) {
    long rows = 0;
    long promptTokens = 0;
    long cachedTokens = 0;
    long outputTokens = 0;
    Map<String, Long> errors = new TreeMap<>();
    for (Row group :
        written
            .groupBy(Documents.named(results.name("error_code")))
            .agg(
                count(lit(1)),
                sum(Documents.named(results.name("prompt_tokens"))),
                sum(Documents.named(results.name("cached_tokens"))),
                sum(Documents.named(results.name("output_tokens"))))
            .collectAsList()) {
      rows += group.getLong(1);
      if (!ErrorCode.PROMPT_TOO_LONG.name().equals(group.getString(0))) {
        promptTokens += group.getLong(2); // No engine has read the others.
      }
      cachedTokens += group.getLong(3);
      outputTokens += group.getLong(4);
      if (!group.isNullAt(0)) {
        errors.put(group.getString(0), group.getLong(1));
      }
    }
    return new Summary(
        rows,
        errors,
        promptTokens,
        cachedTokens,
        outputTokens,
        0,
        promptTokens + outputTokens,
        time);
  }

  /**
   * The same output where several runs have written it.
   *
   * @param thisRunsRows rows that the last run has generated
   * @param thisRunsTokens tokens that it has read and generated
   */
  Summary resumed(long thisRunsRows, long thisRunsTokens) {
    return new Summary(
        rows,
        errors,
        promptTokens,
        cachedTokens,
        outputTokens,
        rows - thisRunsRows,
        thisRunsTokens,
        time);
  }

  /** Rows in error. */
  long rowsInError() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Tokens that this run has read and generated in a second. */
  double tokensPerSecond() {
    return tokens / Math.max(1e-3, time.toMillis() / 1e3);
  }

  /** Prints it, a line a thing. */
  void print(PrintStream out) {
    String earlier = earlierRows == 0 ? "" : ", " + number(earlierRows) + " of them earlier";
    line(out, "rows", number(rows) + earlier + (errors.isEmpty() ? ", none in error" : ""));
    if (!errors.isEmpty()) {
      line(
          out,
          "errors",
          number(rowsInError())
              + ": "
              + errors.entrySet().stream()
                  .map(error -> error.getKey() + " " + number(error.getValue()))
                  .collect(Collectors.joining(", ")));
    }
    line(
        out,
        "tokens",
        number(promptTokens)
            + " in ("
            + number(cachedTokens)
            + " cached), "
            + number(outputTokens)
            + " out");
    line(out, "speed", number(Math.round(tokensPerSecond())) + " tokens/s");
    line(out, "time", ProgressLine.clock(time));
  }

  private static void line(PrintStream out, String what, String value) {
    out.printf(Locale.ROOT, "  %-8s%s%n", what, value);
  }

  private static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
