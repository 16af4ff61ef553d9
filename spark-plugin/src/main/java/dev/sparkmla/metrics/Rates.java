package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.util.List;

/**
 * How fast engines were over some time. Immutable.
 *
 * @param promptTokens tokens of prompts per second, cached ones included
 * @param outputTokens generated tokens per second
 * @param stepMillis the mean time of a step, in milliseconds; 0 where there was no step
 */
public record Rates(double promptTokens, double outputTokens, double stepMillis) {
  /** The rates of engines that did nothing. */
  public static final Rates NONE = new Rates(0, 0, 0);

  static Rates between(EngineReport earlier, EngineReport later) {
    EngineStatistics from = earlier.statistics();
    EngineStatistics to = later.statistics();
    return of(
        later.time() - earlier.time(),
        to.promptTokens() - from.promptTokens(),
        to.outputTokens() - from.outputTokens(),
        to.steps() - from.steps(),
        to.steppingNanos() - from.steppingNanos());
  }

  /**
   * The rates over the time in which engines had rows.
   *
   * @param moments in the order of their times
   */
  public static Rates whileBusy(List<Moment> moments) {
    if (moments.isEmpty()) {
      return NONE;
    }
    long millis = 0;
    for (int i = 1; i < moments.size(); i++) {
      Moment earlier = moments.get(i - 1);
      Moment later = moments.get(i);
      if (earlier.running() + earlier.waiting() > 0 || later.steps() > earlier.steps()) {
        millis += later.time() - earlier.time();
      }
    }
    Moment first = moments.get(0);
    Moment last = moments.get(moments.size() - 1);
    return of(
        millis,
        last.promptTokens() - first.promptTokens(),
        last.outputTokens() - first.outputTokens(),
        last.steps() - first.steps(),
        last.steppingNanos() - first.steppingNanos());
  }

  /**
   * The rates over the time in which engines had something to compute.
   *
   * @param statistics what the engines have done
   */
  public static Rates whileComputing(EngineStatistics statistics) {
    return of(
        statistics.steppingNanos() / 1_000_000,
        statistics.promptTokens(),
        statistics.outputTokens(),
        statistics.steps(),
        statistics.steppingNanos());
  }

  private static Rates of(
      long millis, long promptTokens, long outputTokens, long steps, long steppingNanos) {
    return millis <= 0
        ? NONE
        : new Rates(
            1e3 * promptTokens / millis,
            1e3 * outputTokens / millis,
            steps == 0 ? 0 : steppingNanos / 1e6 / steps);
  }
}
