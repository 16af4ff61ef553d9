package dev.sparkmla.jobs;

import java.time.Duration;
import java.util.Locale;

/**
 * How far a job is, at one moment.
 *
 * @param earlier rows that earlier runs have generated
 * @param done rows generated, those among them
 * @param total rows there are, ≥ 1
 * @param tokens tokens of prompts and generated ones so far, in this run
 * @param elapsed since the first row was asked for
 */
record ProgressLine(long earlier, long done, long total, long tokens, Duration elapsed) {
  /** Fewer rows say little about how long the others take. */
  private static final int ROWS_TO_JUDGE_BY = 10;

  /** As a person reads it, on one line. */
  @Override
  public String toString() {
    long rate = Math.round(tokens / Math.max(1e-3, elapsed.toMillis() / 1e3));
    return String.format(
        Locale.ROOT,
        "%,d of %,d rows (%d %%), %,d tokens/s, %s",
        done,
        total,
        100 * done / total,
        rate,
        done - earlier < Math.min(ROWS_TO_JUDGE_BY, total - earlier)
            ? "time left unknown"
            : clock(left()) + " left");
  }

  /** The time left if rows go on as they went so far. */
  Duration left() {
    return elapsed.multipliedBy(Math.max(0, total - done)).dividedBy(done - earlier);
  }

  /** Hours, minutes and seconds. */
  static String clock(Duration time) {
    return time.toHours() > 0
        ? String.format(
            Locale.ROOT, "%d:%02d:%02d", time.toHours(), time.toMinutesPart(), time.toSecondsPart())
        : String.format(Locale.ROOT, "%d:%02d", time.toMinutes(), time.toSecondsPart());
  }
}
