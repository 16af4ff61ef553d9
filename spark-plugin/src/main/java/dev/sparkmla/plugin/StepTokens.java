package dev.sparkmla.plugin;

import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * How many tokens a step computes at most, where no setting says it. GEMMs and experts of a GPU are
 * the faster the more tokens they have, but what a step works in is taken from the cache.
 */
final class StepTokens {
  private static final int OF_PROCESSOR = 2048;
  private static final int LEAST_OF_DEVICE = 2048;
  private static final int MOST_OF_DEVICE = 16_384;

  /** Far more than a step takes with published models, so that the cache gets most of it. */
  private static final long MEMORY_OF_TOKEN = 1L << 20;

  private StepTokens() {}

  /**
   * The tokens of a step that suit a machine.
   *
   * @param freeMemory bytes of the device that are free before the weights are loaded; empty where
   *     the processor computes
   * @param weights says how many bytes the weights take; only asked for a device
   */
  static int fitting(OptionalLong freeMemory, LongSupplier weights) {
    if (freeMemory.isEmpty()) {
      return OF_PROCESSOR;
    }
    long left = freeMemory.getAsLong() - weights.getAsLong();
    int tokens = MOST_OF_DEVICE;
    while (tokens > LEAST_OF_DEVICE && tokens * MEMORY_OF_TOKEN > left) {
      tokens /= 2;
    }
    return tokens;
  }
}
