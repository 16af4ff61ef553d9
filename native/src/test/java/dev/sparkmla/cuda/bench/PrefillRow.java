package dev.sparkmla.cuda.bench;

import java.util.List;
import java.util.OptionalInt;

/**
 * One line of the prefill benchmark: one sequence, each query seeing the keys before it.
 *
 * @param heads of queries and keys
 * @param tokens queries, and keys
 * @param nopeDim elements of a key besides the 64 shared ones
 * @param valueDim elements of a value
 * @param cudnn TFLOPS of cuDNN's attention through PyTorch at the same sizes (one H200, driver 580,
 *     CUDA 13.0), where it was measured
 */
record PrefillRow(int heads, int tokens, int nopeDim, int valueDim, OptionalInt cudnn) {
  static final int ROPE_DIM = 64;

  private static PrefillRow small(int heads, int tokens, int cudnn) {
    return new PrefillRow(heads, tokens, 128, 128, OptionalInt.of(cudnn));
  }

  private static PrefillRow large(int heads, int tokens) {
    return new PrefillRow(heads, tokens, 192, 256, OptionalInt.empty());
  }

  /** All lines, in the order they are printed. */
  static List<PrefillRow> all() {
    return List.of(
        small(16, 4096, 414),
        small(16, 16384, 632),
        small(16, 32768, 629),
        small(128, 4096, 586),
        small(128, 16384, 584),
        large(20, 4096),
        large(20, 16384));
  }

  int keyDim() {
    return nopeDim + ROPE_DIM;
  }

  /** 2 · heads · tokens² / 2 · (key + value): half of what an unmasked product would need. */
  double operations() {
    return (double) heads * tokens * tokens * (keyDim() + valueDim);
  }
}
