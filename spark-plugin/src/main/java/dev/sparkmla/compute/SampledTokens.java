package dev.sparkmla.compute;

import java.util.OptionalInt;

/**
 * The tokens that a step chose, one for each sampled row: of its segments in order, and within a
 * segment by ascending offset. Immutable.
 */
public final class SampledTokens {
  private static final int NONE = -1;

  private final int[] tokens;

  private SampledTokens(int[] tokens) {
    this.tokens = tokens;
  }

  /**
   * The tokens of a step.
   *
   * @param tokens int32 {@code [sampled rows]}: ids, a negative number for a row whose logits held
   *     NaN or positive infinity
   */
  public static SampledTokens of(int... tokens) {
    return new SampledTokens(tokens.clone());
  }

  /** Number of sampled rows. */
  public int rows() {
    return tokens.length;
  }

  /** The token of a row; empty where the row's logits held NaN or positive infinity. */
  public OptionalInt token(int row) {
    return tokens[row] <= NONE ? OptionalInt.empty() : OptionalInt.of(tokens[row]);
  }
}
