package dev.sparkmla.compute;

import java.util.List;

/**
 * Log probabilities of a sampled row: log softmax of its logits as the model gives them, before
 * anything is done to them.
 *
 * @param chosen of the chosen token
 * @param likeliest of as many of the likeliest tokens as were asked for, or all that there are; the
 *     likeliest first, the lower id first among equals
 */
public record Logprobs(float chosen, List<Likely> likeliest) {
  /** Copies the list. */
  public Logprobs {
    likeliest = List.copyOf(likeliest);
  }

  /**
   * One of the likeliest tokens.
   *
   * @param token its id
   * @param logprob its log probability
   */
  public record Likely(int token, float logprob) {}
}
