package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * Sums over all engines of the application at one time, for charts over time. All but the last four
 * only grow, so that moments between two others can be left out. Immutable.
 *
 * @param time in milliseconds since 1970
 * @param rows that ended, in error or not
 * @param failed how many of them ended in error
 * @param promptTokens as {@link EngineStatistics#promptTokens}, and so the others
 * @param running sequences that were being computed
 * @param waiting rows that waited
 * @param usedBlocks blocks of the cache that running sequences held
 * @param cacheBlocks blocks there were
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
  /** Before any engine was there. */
  static final Moment NONE = new Moment(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  @Override
  @KVIndex
  public long time() {
    return time;
  }

  /** This one after an engine's statistics have changed. */
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
