package dev.sparkmla.metrics;

import org.apache.spark.scheduler.SparkListenerEvent;

/**
 * How far a run is that knows how many rows it has to generate. Whoever runs it posts it, so that
 * the event log has it. Immutable.
 *
 * @param run what the run is named: where its output goes
 * @param time when it was made, in milliseconds since 1970
 * @param earlier rows that earlier runs have generated
 * @param done rows that are generated, those among them
 * @param total rows there are
 */
public record RunProgress(String run, long time, long earlier, long done, long total)
    implements SparkListenerEvent {
  /** Rows that are not generated yet. */
  public long left() {
    return Math.max(0, total - done);
  }
}
