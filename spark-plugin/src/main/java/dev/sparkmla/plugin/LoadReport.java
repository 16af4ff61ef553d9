package dev.sparkmla.plugin;

import dev.sparkmla.plugin.location.ModelFingerprint;
import java.io.Serializable;
import java.time.Duration;

/** A message from an executor to the driver while the executor starts. Immutable. */
sealed interface LoadReport extends Serializable {
  /** The executor's id. */
  String executor();

  /**
   * Hands this report to the method of {@code reports} for its kind.
   *
   * @return the answer to the executor, which each kind of report describes; null for none
   */
  Serializable tell(LoadReports reports);

  /**
   * The executor is about to read the model. The answer is a {@link Duration}: how long it has to
   * wait first.
   *
   * @param host the executor's host, as Spark names it
   */
  record Begun(String executor, String host) implements LoadReport {
    @Override
    public Duration tell(LoadReports reports) {
      return reports.begin(executor, host);
    }
  }

  /**
   * The executor is reading the weights. There is no answer.
   *
   * @param part the part of the weights that it has read, from 0 to 1
   */
  record Progressed(String executor, double part) implements LoadReport {
    @Override
    public Serializable tell(LoadReports reports) {
      reports.progress(executor, part);
      return null;
    }
  }

  /**
   * The executor has loaded the model. The answer is a text: why it must not generate, or an empty
   * text when it may.
   *
   * @param model the fingerprint of the model's files; null where the engine needs no files
   */
  record Loaded(String executor, ModelFingerprint model) implements LoadReport {
    @Override
    public String tell(LoadReports reports) {
      return reports.succeed(executor, model);
    }
  }

  /**
   * The executor ends, because it cannot load the model. There is no answer.
   *
   * @param reason what went wrong
   */
  record Failed(String executor, String reason) implements LoadReport {
    @Override
    public Serializable tell(LoadReports reports) {
      reports.fail(executor, reason);
      return null;
    }
  }
}
