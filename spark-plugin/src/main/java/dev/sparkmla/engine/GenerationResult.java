package dev.sparkmla.engine;

import java.util.Optional;

/**
 * One row's result.
 *
 * @param text the generated text without stop strings and special tokens; empty in error
 * @param finishReason why it ended
 * @param promptTokens tokens of the prompt, after it was truncated if it was; 0 in error
 * @param cachedTokens how many of them were found in the cache
 * @param outputTokens tokens generated, an end token included
 * @param error present exactly when {@code finishReason} is {@link FinishReason#ERROR}
 */
public record GenerationResult(
    String text,
    FinishReason finishReason,
    int promptTokens,
    int cachedTokens,
    int outputTokens,
    Optional<GenerationError> error) {}
