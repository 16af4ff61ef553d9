package dev.sparkmla.engine;

import java.io.Serializable;

/**
 * What an engine has done since it was opened, and what it is doing; taken between two steps.
 *
 * @param waiting rows that were taken and do not run: they are not tokenized yet, or wait for their
 *     first step, or for another one after they were preempted
 * @param running sequences that are being computed
 * @param rows the rows that ended
 * @param steps forward passes
 * @param steppingNanos time in which there was something to compute, in nanoseconds; with {@code
 *     steps}, what a step takes
 * @param promptTokens tokens of all prompts that got their first token
 * @param cachedTokens how many of them were found in the cache
 * @param outputTokens tokens generated
 * @param computedTokens tokens computed: prompts less what was cached, generated tokens, what
 *     preemption made to be computed again, and steps ahead of sequences that had ended
 * @param preemptions how often a sequence lost its blocks to an older one
 * @param cacheBlocks blocks of the cache
 * @param availableBlocks blocks that no running sequence holds, those kept for their content
 *     included
 */
public record EngineStatistics(
    int waiting,
    int running,
    RowStatistics rows,
    long steps,
    long steppingNanos,
    long promptTokens,
    long cachedTokens,
    long outputTokens,
    long computedTokens,
    long preemptions,
    int cacheBlocks,
    int availableBlocks)
    implements Serializable {
  /** Of no engine. */
  public static final EngineStatistics NONE =
      new EngineStatistics(0, 0, RowStatistics.NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  /** Rows that ended with a result, in error or not. */
  public long finished() {
    return rows.finished();
  }

  /** Blocks that running sequences hold. */
  public int usedBlocks() {
    return cacheBlocks - availableBlocks;
  }

  /** The sums of this engine's figures and another's. */
  public EngineStatistics plus(EngineStatistics other) {
    return new EngineStatistics(
        waiting + other.waiting,
        running + other.running,
        rows.plus(other.rows),
        steps + other.steps,
        steppingNanos + other.steppingNanos,
        promptTokens + other.promptTokens,
        cachedTokens + other.cachedTokens,
        outputTokens + other.outputTokens,
        computedTokens + other.computedTokens,
        preemptions + other.preemptions,
        cacheBlocks + other.cacheBlocks,
        availableBlocks + other.availableBlocks);
  }

  /** What it has done, without what it is doing: for an engine that is gone. */
  public EngineStatistics done() {
    return new EngineStatistics(
        0,
        0,
        rows,
        steps,
        steppingNanos,
        promptTokens,
        cachedTokens,
        outputTokens,
        computedTokens,
        preemptions,
        0,
        0);
  }
}
