package dev.sparkmla.compute.cpu;

/** Random numbers by place, without a state (Steele, Lea and Flood 2014). */
final class SplitMix64 {
  private static final long GOLDEN = 0x9e3779b97f4a7c15L;

  private SplitMix64() {}

  /** The number at {@code index}, from 0 on, of those that begin at {@code seed}. */
  static long number(long seed, long index) {
    long mixed = seed + (index + 1) * GOLDEN;
    mixed = (mixed ^ mixed >>> 30) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94d049bb133111ebL;
    return mixed ^ mixed >>> 31;
  }
}
