package dev.sparkmla.engine;

/**
 * Counts what an engine does. Any thread may count rows and read; all else is counted by the
 * stepping thread, and is seen by others once it is published.
 */
final class EngineCounters {
  private final RowCounters rows = new RowCounters();
  private volatile EngineStatistics published;

  // Of the stepping thread alone.
  private long steps;
  private long steppingNanos;
  private long promptTokens;
  private long cachedTokens;
  private long outputTokens;
  private long computedTokens;

  EngineCounters(Scheduler scheduler) {
    publish(scheduler);
  }

  /** Counts the rows that end. */
  RowCounters rows() {
    return rows;
  }

  /** Counts time in which there was something to compute, in nanoseconds. */
  void stepped(long nanos) {
    steppingNanos += nanos;
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
            RowStatistics.NONE,
            steps,
            steppingNanos,
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
        rows.read(),
        last.steps(),
        last.steppingNanos(),
        last.promptTokens(),
        last.cachedTokens(),
        last.outputTokens(),
        last.computedTokens(),
        last.preemptions(),
        last.cacheBlocks(),
        last.availableBlocks());
  }
}
