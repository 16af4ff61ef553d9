package dev.sparkmla.model;

/** How large a model's cache is made. */
public sealed interface CacheSize {
  /**
   * A number of blocks.
   *
   * @param count 64-token blocks, ≥ 1
   */
  record Blocks(int count) implements CacheSize {
    /**
     * Checks the number.
     *
     * @throws IllegalArgumentException if it is less than 1
     */
    public Blocks {
      if (count < 1) {
        throw new IllegalArgumentException("cacheBlocks must be at least 1, not " + count);
      }
    }
  }

  /**
   * A part of the device's memory that the weights and the workspace of the steps leave free. All
   * of it may be given: steps take no more once it is divided.
   *
   * @param fraction the part, in (0, 1]
   * @param stepTokens tokens of a step at most
   * @param stepSequences sequences that run at once at most, 1 to {@value
   *     dev.sparkmla.compute.StepLimits#MOST_SEQUENCES}
   */
  record MemoryFraction(double fraction, int stepTokens, int stepSequences) implements CacheSize {}
}
