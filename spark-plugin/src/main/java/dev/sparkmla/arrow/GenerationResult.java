package dev.sparkmla.arrow;

import java.util.List;
import java.util.Optional;

/**
 * The result of one of a row's variants; a row has one variant unless it asks for more.
 *
 * @param text the generated text, without the model's thoughts; empty in error
 * @param reasoning the model's thoughts, where it or its prompt began some; empty in error
 * @param finishReason why it ended
 * @param promptTokens tokens of the prompt, after it was truncated if it was; where it is too long,
 *     all of them; 0 where the row was refused and they were not counted
 * @param cachedTokens how many of them were found in the cache
 * @param outputTokens tokens generated, an end token included
 * @param logprobs log probabilities of each of these tokens, where the request asks for them; empty
 *     in error
 * @param error present exactly when {@code finishReason} is {@link FinishReason#ERROR}
 */
public record GenerationResult(
    String text,
    Optional<String> reasoning,
    FinishReason finishReason,
    int promptTokens,
    int cachedTokens,
    int outputTokens,
    Optional<List<TokenLogprobs>> logprobs,
    Optional<GenerationError> error) {
  /** Of a request that does not ask for log probabilities. */
  public GenerationResult(
      String text,
      Optional<String> reasoning,
      FinishReason finishReason,
      int promptTokens,
      int cachedTokens,
      int outputTokens,
      Optional<GenerationError> error) {
    this(
        text,
        reasoning,
        finishReason,
        promptTokens,
        cachedTokens,
        outputTokens,
        Optional.empty(),
        error);
  }

  /** Of a row that is refused before anything is computed for it. */
  public static GenerationResult refused(GenerationError error) {
    return refused(error, 0);
  }

  /** The same of a row whose prompt was made tokens, so that they are counted. */
  public static GenerationResult refused(GenerationError error, int promptTokens) {
    return new GenerationResult(
        "", Optional.empty(), FinishReason.ERROR, promptTokens, 0, 0, Optional.of(error));
  }
}
