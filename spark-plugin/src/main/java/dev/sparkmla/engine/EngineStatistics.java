package dev.sparkmla.engine;

/**
 * What an engine has done since it was opened, and what it is doing; taken between two steps.
 *
 * @param waiting requests that are tokenized and wait for their first step, or for another one
 *     after they were preempted
 * @param running sequences that are being computed
 * @param finished requests that ended with a result, rows in error included
 * @param steps forward passes
 * @param promptTokens tokens of all prompts that got their first token
 * @param cachedTokens how many of them were found in the cache
 * @param outputTokens tokens generated
 * @param computedTokens tokens computed: prompts less what was cached, generated tokens, what
 *     preemption made to be computed again, and steps ahead of sequences that had ended
 * @param preemptions how often a sequence lost its blocks to an older one
 * @param cacheBlocks blocks of the cache
 * @param availableBlocks blocks that no running sequence holds, those kept for their content
 *     included
 */
public record EngineStatistics(
    int waiting,
    int running,
    long finished,
    long steps,
    long promptTokens,
    long cachedTokens,
    long outputTokens,
    long computedTokens,
    long preemptions,
    int cacheBlocks,
    int availableBlocks) {}
