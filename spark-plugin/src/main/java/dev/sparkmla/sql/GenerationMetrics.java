package dev.sparkmla.sql;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.ResultBatch;
import java.io.Serializable;
import java.util.LinkedHashMap;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.execution.metric.SQLMetric;
import org.apache.spark.sql.execution.metric.SQLMetrics;
import scala.collection.immutable.Map;
import scala.collection.immutable.Map$;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The metrics of the operator, which Spark's SQL page shows.
 *
 * @param prompts generated rows, without those whose prompt is NULL
 * @param errors how many of them ended in error
 * @param promptTokens tokens of the prompts, but for those that are too long
 * @param cachedTokens how many of them were in the cache
 * @param outputTokens generated tokens
 * @param batches Arrow batches submitted to the engine
 * @param waitTime the time for which tasks waited for results, in nanoseconds
 */
public record GenerationMetrics(
    SQLMetric prompts,
    SQLMetric errors,
    SQLMetric promptTokens,
    SQLMetric cachedTokens,
    SQLMetric outputTokens,
    SQLMetric batches,
    SQLMetric waitTime)
    implements Serializable {
  /** The name of {@link #prompts} for listeners. */
  public static final String PROMPTS = "prompts";

  /** The name of {@link #promptTokens} for listeners. */
  public static final String PROMPT_TOKENS = "prompt tokens";

  /** The name of {@link #outputTokens} for listeners. */
  public static final String OUTPUT_TOKENS = "output tokens";

  static GenerationMetrics create(SparkContext context) {
    return new GenerationMetrics(
        SQLMetrics.createMetric(context, PROMPTS),
        SQLMetrics.createMetric(context, "prompts in error"),
        SQLMetrics.createMetric(context, PROMPT_TOKENS),
        SQLMetrics.createMetric(context, "cached prompt tokens"),
        SQLMetrics.createMetric(context, OUTPUT_TOKENS),
        SQLMetrics.createMetric(context, "batches"),
        SQLMetrics.createNanoTimingMetric(context, "time waiting for the engine", -1));
  }

  Map<String, SQLMetric> byName() {
    java.util.Map<String, SQLMetric> named = new LinkedHashMap<>();
    named.put("prompts", prompts);
    named.put("errors", errors);
    named.put("promptTokens", promptTokens);
    named.put("cachedTokens", cachedTokens);
    named.put("outputTokens", outputTokens);
    named.put("batches", batches);
    named.put("waitTime", waitTime);
    return Map$.MODULE$.from(CollectionConverters.asScala(named));
  }

  /** Counts the rows of a batch. */
  void add(ResultBatch results) {
    long answered = 0;
    long promptTotal = 0;
    long cachedTotal = 0;
    long outputTotal = 0;
    for (int row = 0; row < results.rows(); row++) {
      if (!results.isNull(row)) {
        answered++;
        promptTotal += isTooLong(results, row) ? 0 : results.promptTokens(row);
        cachedTotal += results.cachedTokens(row);
        outputTotal += results.outputTokens(row);
      }
    }
    prompts.add(answered);
    errors.add(results.errorRows().count());
    promptTokens.add(promptTotal);
    cachedTokens.add(cachedTotal);
    outputTokens.add(outputTotal);
  }

  /** Whether no engine has read a row's prompt, though its tokens were counted. */
  private static boolean isTooLong(ResultBatch results, int row) {
    return results
        .error(row)
        .filter(error -> error.code() == ErrorCode.PROMPT_TOO_LONG)
        .isPresent();
  }
}
