package dev.sparkmla.metrics;

import org.apache.spark.scheduler.SparkListenerEvent;

/**
 * The progress of a run that knows how many rows it has to generate. The run posts it to Spark's
 * listener bus, so that the event log has it too. Immutable.
 *
 * @param run the name of the run: the path or URI of its output
 * @param time when the progress was taken, in milliseconds since 1970
 * @param earlier rows that earlier runs with the same output have generated
 * @param done rows that are generated, the earlier ones included
 * @param total rows of the input
 */
public record RunProgress(String run, long time, long earlier, long done, long total)
    implements SparkListenerEvent {
  /** How many rows are not generated yet. */
  public long left() {
    return Math.max(0, total - done);
  }
}
