package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * Sums over all engines of the application at one time, a point of charts over time. All but the
 * last four never fall, so that differences stay right where moments in between are deleted.
 * Immutable.
 *
 * @param time in milliseconds since 1970
 * @param rows rows that had ended, in error or not
 * @param failed how many of them had ended in error
 * @param promptTokens as {@link EngineStatistics#promptTokens}; so are the components up to {@code
 *     preemptions}
 * @param running sequences that were being computed
 * @param waiting rows that waited to be computed
 * @param usedBlocks blocks of the cache that running sequences held
 * @param cacheBlocks all blocks of the cache
 */
public record Moment(
    long time,
    long rows,
    long failed,
    long promptTokens,
    long cachedTokens,
    long outputTokens,
    long steps,
    long steppingNanos,
    long preemptions,
    long running,
    long waiting,
    long usedBlocks,
    long cacheBlocks) {
  /** The moment before any engine exists. */
  static final Moment NONE = new Moment(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  @Override
  @KVIndex
  public long time() {
    return time;
  }

  /** The moment after the statistics of an executor have changed. */
  Moment changed(long now, EngineStatistics before, EngineStatistics after) {
    return new Moment(
        now,
        rows + after.finished() - before.finished(),
        failed + after.rows().failed() - before.rows().failed(),
        promptTokens + after.promptTokens() - before.promptTokens(),
        cachedTokens + after.cachedTokens() - before.cachedTokens(),
        outputTokens + after.outputTokens() - before.outputTokens(),
        steps + after.steps() - before.steps(),
        steppingNanos + after.steppingNanos() - before.steppingNanos(),
        preemptions + after.preemptions() - before.preemptions(),
        running + after.running() - before.running(),
        waiting + after.waiting() - before.waiting(),
        usedBlocks + after.usedBlocks() - before.usedBlocks(),
        cacheBlocks + after.cacheBlocks() - before.cacheBlocks());
  }
}
