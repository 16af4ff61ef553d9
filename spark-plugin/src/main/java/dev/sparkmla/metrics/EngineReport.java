package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.scheduler.SparkListenerEvent;

/**
 * What the engines of an executor have done since they were opened, and what they are doing. The
 * executor sends it to the driver, which posts it to Spark's listener bus, so that the event log
 * has it too. Immutable.
 *
 * @param executor the executor's id
 * @param time when the report was made, in milliseconds since 1970
 * @param model the model's name, path, URI or id; empty where none is set
 * @param devices the name of the device that each engine computes on
 * @param gpus how many of the devices are GPUs
 * @param statistics the sums over all engines of the executor
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
