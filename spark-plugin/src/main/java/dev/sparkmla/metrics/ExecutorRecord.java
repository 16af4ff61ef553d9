package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.util.Optional;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * What the driver knows of an executor. Immutable.
 *
 * @param id the executor's id
 * @param host where it runs
 * @param added when it joined the application, in milliseconds since 1970
 * @param removed when it left, in milliseconds since 1970; 0 before that
 * @param removalReason why it left; empty before that
 * @param report its last report; null before the model is loaded
 * @param recent its rates between its last two reports
 */
public record ExecutorRecord(
    String id,
    String host,
    long added,
    long removed,
    String removalReason,
    EngineReport report,
    Rates recent) {
  /** What an executor is doing. */
  public enum State {
    /** It is loading the model. */
    LOADING,
    /** It has rows to generate. */
    RUNNING,
    /** It waits for rows. */
    IDLE,
    /** It has left. */
    REMOVED
  }

  @Override
  @KVIndex
  public String id() {
    return id;
  }

  /** What the executor was doing when it last reported, or that it has left. */
  public State state() {
    if (removed > 0) {
      return State.REMOVED;
    }
    if (report == null) {
      return State.LOADING;
    }
    EngineStatistics statistics = report.statistics();
    return statistics.running() + statistics.waiting() > 0 ? State.RUNNING : State.IDLE;
  }

  /** Its last report; empty before the model is loaded. */
  public Optional<EngineReport> lastReport() {
    return Optional.ofNullable(report);
  }

  /** What its engines have done, and what they are doing unless the executor has left. */
  public EngineStatistics statistics() {
    if (report == null) {
      return EngineStatistics.NONE;
    }
    return removed > 0 ? report.statistics().done() : report.statistics();
  }

  /**
   * For how long the executor has had GPUs, in milliseconds, summed over its GPUs. The time begins
   * when the executor joins the application, so that loading the model counts.
   *
   * @param now the present time in milliseconds since 1970, until which an executor that has not
   *     left is counted
   */
  public long gpuMillis(long now) {
    int gpus = report == null ? 0 : report.gpus();
    return gpus * Math.max(0, (removed > 0 ? removed : now) - added);
  }

  static ExecutorRecord joined(String id, String host, long time) {
    return new ExecutorRecord(id, host, time, 0, "", null, Rates.NONE);
  }

  ExecutorRecord joinedAt(String place, long time) {
    return new ExecutorRecord(id, place, time, removed, removalReason, report, recent);
  }

  ExecutorRecord reported(EngineReport next) {
    Rates rates = report == null ? Rates.NONE : Rates.between(report, next);
    return new ExecutorRecord(id, host, added, removed, removalReason, next, rates);
  }

  ExecutorRecord left(long time, String reason) {
    return new ExecutorRecord(id, host, added, time, reason, report, recent);
  }
}
