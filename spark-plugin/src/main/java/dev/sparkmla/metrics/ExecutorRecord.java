package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.util.Optional;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * What is known of an executor. Immutable.
 *
 * @param id the executor's
 * @param host where it runs
 * @param added when it joined the application, in milliseconds since 1970
 * @param removed when it left; 0 while it is there
 * @param removalReason why it left; empty while it is there
 * @param report its last one; null before the model is loaded
 * @param recent what it did between its last two reports
 */
public record ExecutorRecord(
    String id,
    String host,
    long added,
    long removed,
    String removalReason,
    EngineReport report,
    Rates recent) {
  /** What an executor does. */
  public enum State {
    /** It loads the model. */
    LOADING,
    /** It generates. */
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

  /** What it does now. */
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

  /** What it reported; empty before the model is loaded. */
  public Optional<EngineReport> lastReport() {
    return Optional.ofNullable(report);
  }

  /** What it has done, and what it is doing unless it has left. */
  public EngineStatistics statistics() {
    if (report == null) {
      return EngineStatistics.NONE;
    }
    return removed > 0 ? report.statistics().done() : report.statistics();
  }

  /**
   * How long it had its GPUs, in milliseconds of one; from when it joined, so that loading the
   * model counts.
   *
   * @param now until when, while it is there
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
