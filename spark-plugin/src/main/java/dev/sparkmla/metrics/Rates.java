package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;

/**
 * How fast engines were for a while.
 *
 * @param promptTokens tokens of prompts in a second, cached ones among them
 * @param outputTokens tokens generated in a second
 * @param stepMillis what a step took, in milliseconds; 0 where there was none
 */
public record Rates(double promptTokens, double outputTokens, double stepMillis) {
  /** Of engines that did nothing. */
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
   * Of what happened between two moments.
   *
   * @param earlier the first of them
   * @param later the second
   */
  public static Rates between(Moment earlier, Moment later) {
    return of(
        later.time() - earlier.time(),
        later.promptTokens() - earlier.promptTokens(),
        later.outputTokens() - earlier.outputTokens(),
        later.steps() - earlier.steps(),
        later.steppingNanos() - earlier.steppingNanos());
  }

  /**
   * Of an engine while it had something to compute.
   *
   * @param statistics all that it has done
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
