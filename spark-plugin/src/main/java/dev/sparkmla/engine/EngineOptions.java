package dev.sparkmla.engine;

import dev.sparkmla.model.CacheSize;

/**
 * Limits of an engine.
 *
 * @param maxBatchedTokens tokens of one step at most, ≥ 1; a prompt is computed in chunks of at
 *     most so many
 * @param maxSequences sequences running at once at most, ≥ 1; more than {@code maxBatchedTokens}
 *     never run
 * @param cacheSize how large the cache is made
 * @param defaultMaxTokens {@code max_tokens} of a request that says none, ≥ 1
 */
public record EngineOptions(
    int maxBatchedTokens, int maxSequences, CacheSize cacheSize, int defaultMaxTokens) {
  /**
   * Checks the limits.
   *
   * @throws IllegalArgumentException if one is less than 1
   */
  public EngineOptions {
    requirePositive("maxBatchedTokens", maxBatchedTokens);
    requirePositive("maxSequences", maxSequences);
    requirePositive("defaultMaxTokens", defaultMaxTokens);
  }

  private static void requirePositive(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be at least 1, not " + value);
    }
  }
}
