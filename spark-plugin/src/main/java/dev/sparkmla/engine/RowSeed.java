package dev.sparkmla.engine;

/** The seed of a row's sampling, from what the row holds and not from where it stands. */
final class RowSeed {
  private RowSeed() {}

  /**
   * Mixes a prompt with the query's seed. Equal arguments give equal seeds, on any machine and in
   * any version. Parameters do not enter: more {@code max_tokens} continue the same text.
   *
   * @param variant which of the row's variants, from 0; the first has the seed of a row that asks
   *     for one alone
   */
  static long of(int[] prompt, long querySeed, int variant) {
    long hash = mix(querySeed);
    for (int token : prompt) {
      hash = mix(hash ^ token);
    }
    // In the upper half, so that no variant has the seed of a prompt with one more token.
    return variant == 0 ? hash : mix(hash ^ (long) variant << Integer.SIZE);
  }

  /** One step of SplitMix64 (Steele, Lea and Flood 2014). */
  private static long mix(long state) {
    long z = state + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
