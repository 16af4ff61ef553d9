package dev.sparkmla.jobs;

import java.time.Duration;
import java.util.Locale;

/**
 * How far a job is, at one moment.
 *
 * @param earlier rows that earlier runs have generated
 * @param done rows generated, those among them
 * @param total rows there are, ≥ 1
 * @param running sequences that engines were computing when they last reported
 * @param waiting rows that waited in engines then
 * @param tokens tokens of prompts and generated ones so far, in this run
 * @param elapsed since the first row was asked for
 */
record ProgressLine(
    long earlier,
    long done,
    long total,
    long running,
    long waiting,
    long tokens,
    Duration elapsed) {
  /** Fewer rows say little about how long the others take. */
  private static final int ROWS_TO_JUDGE_BY = 10;

  /** As a person reads it, on one line. */
  @Override
  public String toString() {
    long rate = Math.round(tokens / Math.max(1e-3, elapsed.toMillis() / 1e3));
    return String.format(
        Locale.ROOT,
        "%,d of %,d rows (%d %%), %s%,d tokens/s, %s",
        done,
        total,
        100 * done / total,
        atWork(),
        rate,
        done - earlier < Math.min(ROWS_TO_JUDGE_BY, total - earlier) || allLeftRun()
            ? "time left unknown"
            : clock(left()) + " left");
  }

  private String atWork() {
    if (running == 0) {
      return "";
    }
    return String.format(Locale.ROOT, "%,d sequence%s running, ", running, running == 1 ? "" : "s");
  }

  /** Whether no other row is to come: rows that ended say nothing of how long these will be. */
  private boolean allLeftRun() {
    return done < total && total - done <= running && waiting == 0;
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
