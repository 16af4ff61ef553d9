package dev.sparkmla.policy;

/**
 * How one row of logits becomes a token. The random number is a function of {@code seed} and {@code
 * index} alone, so that a row's tokens do not depend on the batch it is computed in.
 *
 * @param temperature divides the logits; 0 takes the largest logit (the lowest id among equals) and
 *     ignores the other fields
 * @param topK keeps this many of the largest logits; 0 keeps all
 * @param topP keeps the smallest set of largest probabilities whose sum reaches it; in (0, 1], 1
 *     keeps all
 * @param seed the row's seed
 * @param index how many tokens the row has generated before this one
 */
public record Sampling(float temperature, int topK, float topP, long seed, int index) {
  /** Always the largest logit. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 0);

  /** The same for another of the row's tokens. */
  public Sampling withIndex(int index) {
    return new Sampling(temperature, topK, topP, seed, index);
  }
}
