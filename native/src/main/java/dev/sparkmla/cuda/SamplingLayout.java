package dev.sparkmla.cuda;

import dev.sparkmla.policy.Sampling;
import java.lang.annotation.Native;
import java.nio.IntBuffer;

/**
 * The layout of one row's sampling parameters on their way to {@link RowOperations#sample}: the
 * struct spark_mla_sampling of spark_mla_ops.h as int32 words. The constants are word offsets;
 * jni_operations.cpp does not compile where the struct differs.
 */
public final class SamplingLayout {
  /** Words of a row. */
  @Native public static final int WORDS = 8;

  @Native private static final int TEMPERATURE = 0;
  @Native private static final int TOP_K = 1;
  @Native private static final int TOP_P = 2;
  @Native private static final int MIN_P = 3;
  @Native private static final int INDEX = 4;
  @Native private static final int LOGPROBS = 5;

  /** Two words, the low one first. */
  @Native private static final int SEED = 6;

  private static final int NO_LOGPROBS = -1;

  private SamplingLayout() {}

  /**
   * Writes one row's parameters.
   *
   * @param to gets {@link #WORDS} words at {@code at}; its position stays
   * @param at an absolute index; the row's address on the device must be a multiple of 8 bytes
   * @throws IndexOutOfBoundsException where they do not fit
   */
  public static void write(IntBuffer to, int at, Sampling sampling) {
    to.put(at + TEMPERATURE, Float.floatToRawIntBits(sampling.temperature()));
    to.put(at + TOP_K, sampling.topK());
    to.put(at + TOP_P, Float.floatToRawIntBits(sampling.topP()));
    to.put(at + MIN_P, Float.floatToRawIntBits(sampling.minP()));
    to.put(at + INDEX, sampling.index());
    to.put(at + LOGPROBS, sampling.logprobs().orElse(NO_LOGPROBS));
    to.put(at + SEED, (int) sampling.seed());
    to.put(at + SEED + 1, (int) (sampling.seed() >>> Integer.SIZE));
  }
}
