package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.scheduler.SparkListenerEvent;

/**
 * What the engines of an executor have done since they were opened, and what they are doing. The
 * executor sends it to the driver, which posts it, so that the event log has it. Immutable.
 *
 * @param executor the executor's id
 * @param time when it was made, in milliseconds since 1970
 * @param model what the model is named
 * @param devices what each engine computes on
 * @param gpus how many of them are GPUs
 * @param statistics of all engines of the executor together
 */
public record EngineReport(
    String executor,
    long time,
    String model,
    List<String> devices,
    int gpus,
    EngineStatistics statistics)
    implements SparkListenerEvent, Serializable {
  /** Copies the list. */
  public EngineReport {
    devices = List.copyOf(devices);
  }
}
