package dev.sparkmla.plugin;

import java.util.Optional;

/**
 * Decides when an application has no executor to hope for. Spark alone would start executors for
 * ever, each of which cannot load the model. Thread-safe.
 */
final class LoadReports {
  /** So many loads have to fail, and none to succeed. */
  static final int FAILURES = 4;

  private boolean loaded;
  private int failures;

  /**
   * Takes a report.
   *
   * @return why the running jobs should end; empty when they should not
   */
  synchronized Optional<String> add(LoadReport report) {
    if (report.failure() == null) {
      loaded = true;
      return Optional.empty();
    }
    failures++;
    return !loaded && failures >= FAILURES ? Optional.of(describe(report)) : Optional.empty();
  }

  /** What an executor that could not load the model says. */
  static String describe(LoadReport report) {
    return "The model cannot be loaded on executor " + report.executor() + ": " + report.failure();
  }
}
