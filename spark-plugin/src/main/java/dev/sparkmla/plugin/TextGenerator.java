package dev.sparkmla.plugin;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * What an executor's tasks ask for texts: the engine and all it owns. Thread-safe.
 *
 * <p>It lives as long as its executor; the plugin makes and closes it.
 */
public interface TextGenerator extends AutoCloseable {
  /**
   * Takes a request and returns at once. The future completes with a result for every row, a bad
   * one's holds its error; it completes exceptionally when the engine itself has failed. Cancelling
   * it frees what the row holds.
   */
  CompletableFuture<GenerationResult> submit(GenerationRequest request);

  /** What it has done and is doing. */
  EngineStatistics statistics();

  /**
   * The same of each GPU's engine, by the GPU's UUID as nvidia-smi spells it; the GPUs stay the
   * same. Empty on processors.
   */
  default Map<String, EngineStatistics> gpuStatistics() {
    return Map.of();
  }

  /** Ends what is running, exceptionally, and frees all. */
  @Override
  void close();
}
