package dev.sparkmla.model;

/**
 * A loaded model with its paged cache, as the engine sees it. Not thread-safe: one thread steps it.
 */
public interface LanguageModel extends AutoCloseable {
  /** What a step returns for a row that wanted no token. */
  int NO_TOKEN = -1;

  /** The model's configuration. */
  ModelConfig config();

  /** Number of 64-token blocks in the cache, numbered from 0. */
  int cacheBlocks();

  /**
   * Computes one step and writes its tokens' keys and values into the cache.
   *
   * @return int32 {@code [rows]}: the token chosen for each row, {@link #NO_TOKEN} where none was
   *     wanted
   */
  int[] step(StepBatch batch);

  /** Frees the weights and the cache. */
  @Override
  void close();
}
