package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * What the executors have done whose records were deleted. Immutable.
 *
 * @param count how many executors these are
 * @param gpuMillis for how long they had GPUs, in milliseconds, summed over GPUs
 * @param statistics the sums of what they have done
 */
public record RemovedExecutors(long count, long gpuMillis, EngineStatistics statistics) {
  /** The key of the only such record in a store. */
  static final String KEY = "removed executors";

  /** No executor. */
  static final RemovedExecutors NONE = new RemovedExecutors(0, 0, EngineStatistics.NONE);

  /** The key in the store: always the same, because a store has one such record. */
  @KVIndex
  public String key() {
    return KEY;
  }

  RemovedExecutors and(ExecutorRecord executor) {
    return new RemovedExecutors(
        count + 1,
        gpuMillis + executor.gpuMillis(executor.removed()),
        statistics.plus(executor.statistics()));
  }
}
