package dev.sparkmla.metrics;

import org.apache.spark.util.kvstore.KVIndex;

/**
 * The last progress that a run has posted, as the store keeps it. Immutable.
 *
 * @param progress the run's last progress
 */
public record RunRecord(RunProgress progress) {
  /** The name of the run, its key in the store. */
  @KVIndex
  public String run() {
    return progress.run();
  }
}
