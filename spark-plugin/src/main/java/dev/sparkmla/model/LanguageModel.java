package dev.sparkmla.model;

/**
 * A loaded model with its paged cache, as the engine sees it. Not thread-safe: one thread steps it.
 */
public interface LanguageModel extends AutoCloseable {
  /** What a step gives for a row that wanted no token. */
  int NO_TOKEN = -1;

  /** The model's configuration. */
  ModelConfig config();

  /** Number of 64-token blocks in the cache, numbered from 0. */
  int cacheBlocks();

  /** Whether {@link #submit} returns before the step is computed. */
  boolean runsAhead();

  /**
   * Begins one step, which writes its tokens' keys and values into the cache. Steps are computed in
   * the order they were submitted; a step may be submitted while the one before it is pending, not
   * while two are. The batch's arrays are read before this returns.
   *
   * @throws dev.sparkmla.compute.ComputeException when the step cannot be computed; the pending one
   *     is not affected
   */
  PendingStep submit(StepBatch batch);

  /** Frees the weights and the cache, and forgets the steps that are pending. */
  @Override
  void close();
}
