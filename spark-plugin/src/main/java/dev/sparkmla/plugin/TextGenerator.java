package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Generates texts for the tasks of an executor: its engines and all that they own. Thread-safe.
 *
 * <p>It lives as long as its executor; the plugin makes and closes it.
 */
public interface TextGenerator extends AutoCloseable {
  /**
   * Takes a batch and returns at once. From this call on the batch is the generator's. Cancelling
   * the future frees what the rows hold; results that are being delivered still reach the consumer.
   *
   * @param ended gets the results of rows as they end, each row once, and owns them; a bad row's
   *     holds its error. It runs on the generator's threads, one at a time, and must be short
   * @return completed when every row has ended and its result was delivered; exceptionally when the
   *     engine itself has failed
   */
  CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended);

  /** How many rows it computes at once at most. */
  int maxSequences();

  /** What its engines have done and are doing, summed over them. */
  EngineStatistics statistics();

  /** The name of the device that each of its engines computes on. */
  default List<String> devices() {
    return List.of();
  }

  /**
   * The {@link #statistics} of each GPU's engine, by the GPU's UUID as nvidia-smi spells it; the
   * GPUs stay the same. Empty on processors.
   */
  default Map<String, EngineStatistics> gpuStatistics() {
    return Map.of();
  }

  /** Ends the running batches exceptionally and frees all memory. */
  @Override
  void close();
}
