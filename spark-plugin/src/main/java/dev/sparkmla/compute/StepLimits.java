package dev.sparkmla.compute;

/**
 * The largest steps that a backend is asked for.
 *
 * @param tokens tokens of a step at most, ≥ 1
 * @param sequences segments that prefill in a step at most, as many rows that decode, and as many
 *     rows that a token is sampled from; 1 to {@value #MOST_SEQUENCES}
 * @param positions tokens of a sequence at most, ≥ 1
 */
public record StepLimits(int tokens, int sequences, int positions) {
  /**
   * The largest number of sequences that run at once on every backend. The decode kernels take at
   * most 65535 rows, and the CUDA backend rounds rows up to multiples of 64.
   */
  public static final int MOST_SEQUENCES = 65_472;

  /**
   * Checks the limits.
   *
   * @throws IllegalArgumentException naming the limit that is out of range
   */
  public StepLimits {
    require(tokens >= 1, "tokens of a step", tokens, "at least 1");
    require(
        sequences >= 1 && sequences <= MOST_SEQUENCES,
        "sequences of a step",
        sequences,
        "1 to " + MOST_SEQUENCES);
    require(positions >= 1, "tokens of a sequence", positions, "at least 1");
  }

  private static void require(boolean holds, String what, int value, String expected) {
    if (!holds) {
      throw new IllegalArgumentException(what + " must be " + expected + ", not " + value);
    }
  }
}
