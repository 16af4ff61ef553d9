package dev.sparkmla.engine;

/**
 * A prompt that fits into the context window and the cache with its new tokens.
 *
 * @param ids its token ids, at least one
 * @param maxTokens how many tokens may be generated after it, at least 1
 */
record FittedPrompt(int[] ids, int maxTokens) {}
