package dev.sparkmla.arrow;

import java.util.List;

/**
 * Log probabilities where one token was generated, of the model as it is: without temperature,
 * penalties, biases or a response format.
 *
 * @param chosen the generated token
 * @param likeliest as many of the likeliest tokens as were asked for, the likeliest first
 */
public record TokenLogprobs(Candidate chosen, List<Candidate> likeliest) {
  /** Copies the list. */
  public TokenLogprobs {
    likeliest = List.copyOf(likeliest);
  }

  /**
   * A token that could be generated.
   *
   * @param id its id in the vocabulary
   * @param text what it adds to a text, with U+FFFD for bytes that are no whole character; the
   *     spelling of a special token
   * @param logprob the natural logarithm of its probability
   */
  public record Candidate(int id, String text, float logprob) {}
}
