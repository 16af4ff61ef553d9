package dev.sparkmla.policy;

/**
 * How one row of logits becomes a token. The random number is a function of {@code seed} and {@code
 * index} alone, so that a row's tokens do not depend on the batch it is computed in.
 *
 * @param temperature divides the logits; 0 takes the largest logit (the lowest id among equals) and
 *     ignores {@code topK}, {@code topP}, {@code minP} and {@code seed}
 * @param topK keeps this many of the largest logits; 0 keeps all
 * @param topP keeps the smallest set of largest probabilities whose sum reaches it; in (0, 1], 1
 *     keeps all. The probabilities are those of what {@code minP} and {@code topK} kept
 * @param minP keeps the probabilities that are at least this part of the largest one (Nguyen et al.
 *     2024, arXiv:2407.01082); in [0, 1], 0 keeps all
 * @param seed the row's seed
 * @param index how many tokens the row has generated before this one
 * @param processing what is done to the logits first
 */
public record Sampling(
    float temperature,
    int topK,
    float topP,
    float minP,
    long seed,
    int index,
    LogitsProcessing processing) {
  /** Always the largest logit. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 0, 0, LogitsProcessing.NONE);

  /** The same for another of the row's tokens. */
  public Sampling withIndex(int index) {
    return new Sampling(temperature, topK, topP, minP, seed, index, processing);
  }

  /** The same with something else done to the logits. */
  public Sampling withProcessing(LogitsProcessing processing) {
    return new Sampling(temperature, topK, topP, minP, seed, index, processing);
  }

  /** Whether anything is done to this token's logits. */
  public boolean processesLogits() {
    return processing.changes(index);
  }
}
