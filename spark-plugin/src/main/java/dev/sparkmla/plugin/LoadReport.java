package dev.sparkmla.plugin;

import dev.sparkmla.plugin.location.ModelFingerprint;
import java.io.Serializable;
import java.time.Duration;

/** What an executor tells the driver while it starts. Immutable. */
sealed interface LoadReport extends Serializable {
  /** The executor's id. */
  String executor();

  /**
   * Hands the report on.
   *
   * @return the answer, which the kind of report says
   */
  Serializable tell(LoadReports reports);

  /**
   * It is about to read the model. The answer is a {@link Duration}: how long it has to wait first.
   *
   * @param host as Spark names it
   */
  record Begun(String executor, String host) implements LoadReport {
    @Override
    public Duration tell(LoadReports reports) {
      return reports.begin(executor, host);
    }
  }

  /**
   * It is reading the weights. There is no answer.
   *
   * @param part that it has read, from 0 to 1
   */
  record Progressed(String executor, double part) implements LoadReport {
    @Override
    public Serializable tell(LoadReports reports) {
      reports.progress(executor, part);
      return null;
    }
  }

  /**
   * It has loaded the model. The answer is a text: why it must not generate, or nothing.
   *
   * @param model what tells its files from others; null where the engine needs none
   */
  record Loaded(String executor, ModelFingerprint model) implements LoadReport {
    @Override
    public String tell(LoadReports reports) {
      return reports.succeed(executor, model);
    }
  }

  /**
   * It ends, since it cannot load the model. There is no answer.
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
