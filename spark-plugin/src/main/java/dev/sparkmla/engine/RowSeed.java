package dev.sparkmla.engine;

/** The seed of a row's sampling, from what the row holds and not from where it stands. */
final class RowSeed {
  private RowSeed() {}

  /**
   * Mixes a prompt with the query's seed. Equal arguments give equal seeds, on any machine and in
   * any version. Parameters do not enter: more {@code max_tokens} continue the same text.
   */
  static long of(int[] prompt, long querySeed) {
    long hash = mix(querySeed);
    for (int token : prompt) {
      hash = mix(hash ^ token);
    }
    return hash;
  }

  /** One step of SplitMix64 (Steele, Lea and Flood 2014). */
  private static long mix(long state) {
    long z = state + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
