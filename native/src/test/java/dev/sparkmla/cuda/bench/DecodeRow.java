package dev.sparkmla.cuda.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * One line of the decode benchmark.
 *
 * @param batch sequences
 * @param queryTokens s_q
 * @param queryHeads h_q, over one latent head of 512 + 64
 * @param tokens s_k: every sequence's length, or the mean of varied ones
 * @param varied whether lengths are drawn from N(s_k, s_k / 2) with Python's seed 0
 * @param causal whether query tokens see only what is before them
 * @param flashMla milliseconds of FlashMLA's dense decode kernel for the same batch (one H200,
 *     driver 580, CUDA 13.0, by events, median of 20), where it was measured
 */
record DecodeRow(
    int batch,
    int queryTokens,
    int queryHeads,
    int tokens,
    boolean varied,
    boolean causal,
    OptionalDouble flashMla) {
  static final int LATENT_DIM = 512;
  static final int ROPE_DIM = 64;
  static final int KEY_DIM = LATENT_DIM + ROPE_DIM;

  private static DecodeRow uniform(int batch, int heads, int tokens, double flashMla) {
    return new DecodeRow(
        batch,
        1,
        heads,
        tokens,
        false,
        false,
        flashMla > 0 ? OptionalDouble.of(flashMla) : OptionalDouble.empty());
  }

  /** All lines, in the order they are printed. */
  static List<DecodeRow> all() {
    List<DecodeRow> rows = new ArrayList<>();
    int[] means = {4096, 8192, 16384, 32768};
    double[][] times = {
      {0.259, 0.462, 0.865, 1.780}, {0.522, 0.956, 1.700, 3.439}, {0.446, 0.832, 1.738, 3.572}
    };
    for (int kind = 0; kind < times.length; kind++) {
      for (int i = 0; i < means.length; i++) {
        rows.add(
            new DecodeRow(
                128,
                kind == 0 ? 1 : 2,
                128,
                means[i],
                true,
                kind == 2,
                OptionalDouble.of(times[kind][i])));
      }
    }
    rows.add(uniform(1, 16, 4096, 0));
    rows.add(uniform(16, 16, 4096, 0));
    rows.add(uniform(64, 16, 4096, 0));
    rows.add(uniform(128, 16, 4096, 0.161));
    rows.add(uniform(256, 16, 4096, 0));
    rows.add(uniform(128, 16, 16384, 0.578));
    rows.add(uniform(32, 16, 32768, 0.297));
    rows.add(uniform(128, 20, 4096, 0));
    rows.add(uniform(128, 20, 16384, 0));
    rows.add(uniform(128, 32, 4096, 0.160));
    rows.add(uniform(128, 32, 16384, 0.601));
    rows.add(uniform(128, 64, 4096, 0.159));
    rows.add(uniform(128, 64, 16384, 0.625));
    rows.add(uniform(32, 64, 32768, 0.320));
    rows.add(uniform(4, 128, 32768, 0.087));
    double[][] long128k = {{0.085, 0, 0, 0.299}, {0, 0, 0, 0}, {0.092, 0, 0, 0.430}};
    int[] heads = {16, 20, 128};
    for (int h = 0; h < heads.length; h++) {
      for (int i = 0; i < 4; i++) {
        rows.add(uniform(1 << i, heads[h], 131072, long128k[h][i]));
      }
    }
    return rows;
  }

  /** Tokens of each sequence. */
  int[] lengths() {
    PythonRandom random = new PythonRandom(0);
    return IntStream.range(0, batch)
        .map(
            i -> varied ? Math.max((int) random.normal(tokens, tokens / 2.0), queryTokens) : tokens)
        .toArray();
  }

  /** 2 · b · h_q · s_q · mean(s_k) · (key + value): what the mask saves is not taken off. */
  double operations() {
    return 2.0
        * queryHeads
        * queryTokens
        * IntStream.of(lengths()).asLongStream().sum()
        * (KEY_DIM + LATENT_DIM);
  }

  /** Queries, every cached token once, outputs; all bfloat16. */
  double bytes() {
    return 2.0 * batch * queryTokens * queryHeads * (KEY_DIM + LATENT_DIM)
        + 2.0 * KEY_DIM * IntStream.of(lengths()).asLongStream().sum();
  }
}
