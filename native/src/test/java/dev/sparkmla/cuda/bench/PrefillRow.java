package dev.sparkmla.cuda.bench;

import java.util.List;
import java.util.OptionalInt;

/**
 * One line of the prefill benchmark: one sequence, each query seeing the keys before it.
 *
 * @param heads of queries and keys
 * @param tokens queries, and keys
 * @param nopeDim elements of a key that its head has alone
 * @param ropeDim elements of a key that all heads share
 * @param valueDim elements of a value
 * @param cudnn TFLOPS of cuDNN's attention through PyTorch at the same sizes (one H200, driver 580,
 *     CUDA 13.0), where it was measured
 */
record PrefillRow(
    int heads, int tokens, int nopeDim, int ropeDim, int valueDim, OptionalInt cudnn) {
  private static PrefillRow deepSeek(int heads, int tokens, int cudnn) {
    return new PrefillRow(heads, tokens, 128, 64, 128, OptionalInt.of(cudnn));
  }

  private static PrefillRow of(int heads, int tokens, int nope, int rope, int value) {
    return new PrefillRow(heads, tokens, nope, rope, value, OptionalInt.empty());
  }

  /** All lines, in the order they are printed. */
  static List<PrefillRow> all() {
    return List.of(
        deepSeek(16, 4096, 414),
        deepSeek(16, 16384, 632),
        deepSeek(16, 32768, 629),
        deepSeek(128, 4096, 586),
        deepSeek(128, 16384, 584),
        of(20, 4096, 192, 64, 256),
        of(20, 16384, 192, 64, 256),
        of(32, 4096, 64, 64, 128),
        of(32, 16384, 64, 64, 128),
        of(40, 4096, 64, 32, 64),
        of(40, 16384, 64, 32, 64));
  }

  int keyDim() {
    return nopeDim + ropeDim;
  }

  /** 2 · heads · tokens² / 2 · (key + value): half of what unmasked attention would need. */
  double operations() {
    return (double) heads * tokens * tokens * (keyDim() + valueDim);
  }
}
