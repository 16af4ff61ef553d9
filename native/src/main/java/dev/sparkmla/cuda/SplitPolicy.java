package dev.sparkmla.cuda;

/**
 * How the tokens of a batch are cut into pieces for the multiprocessors.
 *
 * @param fixedTokens 0: anywhere, so that all multiprocessors finish together. Else every sequence
 *     is cut each so many tokens from its start, and its result is bit-identical whatever else is
 *     in the batch; a multiple of 128.
 */
public record SplitPolicy(int fixedTokens) {
  /** The fastest cut. A sequence's rounding may depend on what else is in the batch. */
  public static final SplitPolicy BALANCED = new SplitPolicy(0);

  /**
   * @throws CudaArgumentException where {@code fixedTokens} is negative or no multiple of 128
   */
  public SplitPolicy {
    CudaArgumentException.require(
        fixedTokens >= 0 && fixedTokens % 128 == 0,
        "fixed splits of %d tokens: must be a positive multiple of 128, or 0 for balanced splits",
        fixedTokens);
  }

  /** Cuts at multiples of {@code tokens}, a positive multiple of 128. */
  public static SplitPolicy fixed(int tokens) {
    CudaArgumentException.require(
        tokens > 0, "fixed splits of %d tokens: must be a positive multiple of 128", tokens);
    return new SplitPolicy(tokens);
  }
}
