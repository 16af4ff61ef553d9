package dev.sparkmla.metrics;

import org.apache.spark.util.kvstore.KVIndex;

/**
 * How far a run was when it said so last.
 *
 * @param progress what it said
 */
public record RunRecord(RunProgress progress) {
  /** What the run is named. */
  @KVIndex
  public String run() {
    return progress.run();
  }
}
