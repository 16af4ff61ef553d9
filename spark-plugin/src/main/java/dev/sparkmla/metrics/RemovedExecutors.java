package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * What executors have done of which no record is kept any more.
 *
 * @param count how many they are
 * @param gpuMillis how long they had GPUs, in milliseconds of one
 * @param statistics what they have done together
 */
public record RemovedExecutors(long count, long gpuMillis, EngineStatistics statistics) {
  /** The key of the one that a store has. */
  static final String KEY = "removed executors";

  /** None. */
  static final RemovedExecutors NONE = new RemovedExecutors(0, 0, EngineStatistics.NONE);

  /** The same for all: a store has one. */
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
