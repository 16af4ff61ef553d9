package dev.sparkmla.policy;

import java.util.OptionalInt;

/**
 * How one row of logits becomes a token, and what is reported of the choice. The random number is a
 * function of {@code seed} and {@code index} alone, so that a row's tokens do not depend on the
 * batch it is computed in.
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
 * @param logprobs the chosen token's log probability is reported, and those of so many of the
 *     likeliest tokens: log softmax of the logits as the model gives them, before anything is done
 *     to them. From 0 to {@link #MOST_LOGPROBS}; empty reports none
 */
public record Sampling(
    float temperature,
    int topK,
    float topP,
    float minP,
    long seed,
    int index,
    LogitsProcessing processing,
    OptionalInt logprobs) {
  /** The most of the likeliest tokens whose log probabilities are reported. */
  public static final int MOST_LOGPROBS = 20;

  /** Always the largest logit. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 0, 0, LogitsProcessing.NONE);

  /** Checks what is reported. */
  public Sampling {
    if (logprobs.isPresent() && (logprobs.getAsInt() < 0 || logprobs.getAsInt() > MOST_LOGPROBS)) {
      throw new IllegalArgumentException(
          "log probabilities of "
              + logprobs.getAsInt()
              + " likeliest tokens; expected 0 to "
              + MOST_LOGPROBS);
    }
  }

  /** Of a choice of which nothing is reported. */
  public Sampling(
      float temperature,
      int topK,
      float topP,
      float minP,
      long seed,
      int index,
      LogitsProcessing processing) {
    this(temperature, topK, topP, minP, seed, index, processing, OptionalInt.empty());
  }

  /** The same for another of the row's tokens. */
  public Sampling withIndex(int index) {
    return new Sampling(temperature, topK, topP, minP, seed, index, processing, logprobs);
  }

  /** The same with something else done to the logits. */
  public Sampling withProcessing(LogitsProcessing processing) {
    return new Sampling(temperature, topK, topP, minP, seed, index, processing, logprobs);
  }

  /** The same with something else reported. */
  public Sampling withLogprobs(OptionalInt logprobs) {
    return new Sampling(temperature, topK, topP, minP, seed, index, processing, logprobs);
  }

  /** Whether anything is done to this token's logits. */
  public boolean processesLogits() {
    return processing.changes(index);
  }

  /** Whether a token ends the row. */
  public boolean ends(int token) {
    return processing.endTokens().contains(token);
  }
}
