package dev.sparkmla.engine;

import java.util.concurrent.atomic.LongAdder;

/**
 * Counts what an engine does. Any thread may count finished rows and read; all else is counted by
 * the stepping thread, and is seen by others once it is published.
 */
final class EngineCounters {
  private final LongAdder finished = new LongAdder();
  private volatile EngineStatistics published;

  // Of the stepping thread alone.
  private long steps;
  private long promptTokens;
  private long cachedTokens;
  private long outputTokens;
  private long computedTokens;

  EngineCounters(Scheduler scheduler) {
    publish(scheduler);
  }

  /** Counts rows that ended with a result, in error or not. */
  void rowsFinished(int rows) {
    finished.add(rows);
  }

  /** Counts a step that the model has taken. */
  void stepSubmitted(PlannedStep step) {
    steps++;
    computedTokens += step.tokens();
  }

  /** Counts a token that a sequence got, and its prompt where it is the first. */
  void tokenGenerated(Sequence sequence) {
    outputTokens++;
    if (sequence.outputTokens() == 1) {
      promptTokens += sequence.promptTokens();
      cachedTokens += sequence.cachedTokens();
    }
  }

  /** Lets others see what was counted, and the scheduler's state. */
  void publish(Scheduler scheduler) {
    published =
        new EngineStatistics(
            0, // With the finished rows, known when it is read.
            scheduler.running(),
            0,
            steps,
            promptTokens,
            cachedTokens,
            outputTokens,
            computedTokens,
            scheduler.preemptions(),
            scheduler.pool().size(),
            scheduler.pool().available());
  }

  /**
   * What was published last.
   *
   * @param unfinished rows that were taken and have no result
   */
  EngineStatistics read(int unfinished) {
    EngineStatistics last = published;
    return new EngineStatistics(
        Math.max(0, unfinished - last.running()),
        last.running(),
        finished.sum(),
        last.steps(),
        last.promptTokens(),
        last.cachedTokens(),
        last.outputTokens(),
        last.computedTokens(),
        last.preemptions(),
        last.cacheBlocks(),
        last.availableBlocks());
  }
}
