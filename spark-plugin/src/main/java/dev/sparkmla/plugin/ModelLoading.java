package dev.sparkmla.plugin;

import java.util.concurrent.atomic.AtomicReference;

/**
 * How far the executors of this JVM's application are with loading the model, for a person who
 * waits. Thread-safe.
 */
public final class ModelLoading {
  private static final AtomicReference<LoadReports> REPORTS = new AtomicReference<>();

  private ModelLoading() {}

  /** One line; empty when an executor has loaded the model, or none has begun to. */
  public static String describe() {
    LoadReports reports = REPORTS.get();
    return reports == null ? "" : reports.describe();
  }

  /** From now on describes these; null for none. */
  static void follow(LoadReports reports) {
    REPORTS.set(reports);
  }
}
