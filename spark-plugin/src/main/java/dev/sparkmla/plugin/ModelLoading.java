package dev.sparkmla.plugin;

import java.util.concurrent.atomic.AtomicReference;

/**
 * Tells a waiting person how far the executors of this JVM's application have loaded the model.
 * Meant for the driver. Thread-safe.
 */
public final class ModelLoading {
  private static final AtomicReference<LoadReports> REPORTS = new AtomicReference<>();

  private ModelLoading() {}

  /**
   * One line with the progress of the executor that has read most. It is empty when an executor has
   * loaded the model, or none has begun to.
   */
  public static String describe() {
    LoadReports reports = REPORTS.get();
    return reports == null ? "" : reports.describe();
  }

  /** Lets {@link #describe} read these reports from now on; null for none. */
  static void follow(LoadReports reports) {
    REPORTS.set(reports);
  }
}
