package dev.sparkmla.engine;

/**
 * Limits of an engine.
 *
 * @param maxBatchedTokens tokens of one step at most, ≥ 64
 * @param maxSequences sequences running at once at most, ≥ 1
 * @param cacheBlocks 64-token blocks of the cache, ≥ 1
 * @param defaultMaxTokens {@code max_tokens} of a request that says none, ≥ 1
 */
public record EngineOptions(
    int maxBatchedTokens, int maxSequences, int cacheBlocks, int defaultMaxTokens) {}
