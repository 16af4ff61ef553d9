package dev.sparkmla.policy;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What is done to a row's logits before a token is chosen, in this order:
 *
 * <ol>
 *   <li>{@code bias} is added.
 *   <li>A token of the prompt or of the output has its logit divided by {@code repetitionPenalty}
 *       where it is positive, else multiplied (Keskar et al. 2019, arXiv:1909.05858, as
 *       transformers computes it).
 *   <li>A token that stands n ≥ 1 times in the output has {@code n * frequencyPenalty +
 *       presencePenalty} subtracted.
 *   <li>The last token of each of {@code badWords} whose other tokens prompt and output end with
 *       cannot be chosen, nor one of {@code endTokens} among the first {@code minTokens} of the
 *       output.
 * </ol>
 *
 * <p>Token ids that the vocabulary does not have do nothing. Immutable.
 *
 * @param bias by token id
 * @param repetitionPenalty greater than 0; 1 changes nothing
 * @param presencePenalty 0 changes nothing
 * @param frequencyPenalty 0 changes nothing
 * @param badWords lists of at least one token id
 * @param minTokens ≥ 0
 * @param endTokens ids of the tokens that end the row
 */
public record LogitsProcessing(
    Map<Integer, Float> bias,
    float repetitionPenalty,
    float presencePenalty,
    float frequencyPenalty,
    List<List<Integer>> badWords,
    int minTokens,
    Set<Integer> endTokens) {
  /** The most token ids that one row may name: they cross to the device with every step. */
  public static final int MOST_IDS = 1024;

  /** Leaves the logits as they are. */
  public static final LogitsProcessing NONE =
      new LogitsProcessing(Map.of(), 1, 0, 0, List.of(), 0, Set.of());

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if it names more than {@value #MOST_IDS} token ids, or a bad
   *     word has none
   */
  public LogitsProcessing {
    bias = Map.copyOf(bias);
    badWords = badWords.stream().map(List::copyOf).toList();
    endTokens = Set.copyOf(endTokens);
    int ids = bias.size() + endTokens.size() + badWords.stream().mapToInt(List::size).sum();
    if (ids > MOST_IDS) {
      throw new IllegalArgumentException(
          "logit_bias, bad_words, stop_token_ids and the model's end tokens are "
              + ids
              + " token ids together; the most are "
              + MOST_IDS);
    }
    if (badWords.stream().anyMatch(List::isEmpty)) {
      throw new IllegalArgumentException("a bad word without tokens");
    }
  }

  /** Whether it depends on how often tokens stand in prompt and output. */
  public boolean penalizes() {
    return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
  }

  /** Whether the end tokens cannot be chosen as the output's token {@code index}, from 0. */
  public boolean suppressesEnd(int index) {
    return index < minTokens && !endTokens.isEmpty();
  }

  /** Whether anything is done to the logits of the output's token {@code index}, from 0. */
  public boolean changes(int index) {
    return penalizes() || !bias.isEmpty() || !badWords.isEmpty() || suppressesEnd(index);
  }
}
