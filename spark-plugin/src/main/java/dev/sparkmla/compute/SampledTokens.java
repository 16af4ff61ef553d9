package dev.sparkmla.compute;

import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The tokens that a step chose, one for each sampled row: of its segments in order, and within a
 * segment by ascending offset; with their log probabilities, where a row asks for them. Immutable.
 */
public final class SampledTokens {
  private static final int NONE = -1;

  private final int[] tokens;
  private final List<Optional<Logprobs>> logprobs;

  private SampledTokens(int[] tokens, List<Optional<Logprobs>> logprobs) {
    this.tokens = tokens;
    this.logprobs = logprobs;
  }

  /**
   * The tokens of a step whose rows ask for no log probabilities.
   *
   * @param tokens int32 {@code [sampled rows]}: ids, a negative number for a row whose logits held
   *     NaN or positive infinity
   */
  public static SampledTokens of(int... tokens) {
    return of(tokens, Collections.nCopies(tokens.length, Optional.empty()));
  }

  /**
   * The tokens of a step.
   *
   * @param tokens as above
   * @param logprobs of each row; empty for one that does not ask for them or has no token
   */
  public static SampledTokens of(int[] tokens, List<Optional<Logprobs>> logprobs) {
    if (tokens.length != logprobs.size()) {
      throw new IllegalArgumentException(
          "log probabilities of " + logprobs.size() + " rows for " + tokens.length + " tokens");
    }
    return new SampledTokens(tokens.clone(), List.copyOf(logprobs));
  }

  /** Number of sampled rows. */
  public int rows() {
    return tokens.length;
  }

  /** The token of a row; empty where the row's logits held NaN or positive infinity. */
  public OptionalInt token(int row) {
    return tokens[row] <= NONE ? OptionalInt.empty() : OptionalInt.of(tokens[row]);
  }

  /** The log probabilities of a row; empty where it asks for none or has no token. */
  public Optional<Logprobs> logprobs(int row) {
    return logprobs.get(row);
  }
}
