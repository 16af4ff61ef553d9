package dev.sparkmla.cuda.bench;

/**
 * Python's {@code random} module, as far as drawing lengths needs it, so that a benchmark of
 * "varied lengths, seed 0" means the same batch here as in FlashMLA's script. The generator is
 * MT19937 with its initialization by array (Matsumoto and Nishimura, 1998); normal numbers come
 * from the method of Kinderman and Monahan (1977), as in CPython.
 */
final class PythonRandom {
  private static final int SIZE = 624;
  private static final int SHIFT = 397;
  private static final double NORMAL_MAGIC = 4 * Math.exp(-0.5) / Math.sqrt(2);

  private final int[] state = new int[SIZE];
  private int next = SIZE;

  /**
   * @param seed not negative and below 2^32, where Python's key is this one number
   */
  PythonRandom(int seed) {
    state[0] = 19650218;
    for (int i = 1; i < SIZE; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
    int i = 1;
    for (int k = 0; k < SIZE; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1664525)) + seed;
      i = advance(i);
    }
    for (int k = 0; k < SIZE - 1; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1566083941)) - i;
      i = advance(i);
    }
    state[0] = 0x80000000;
  }

  private int advance(int i) {
    if (i + 1 < SIZE) {
      return i + 1;
    }
    state[0] = state[SIZE - 1];
    return 1;
  }

  private int nextBits() {
    if (next == SIZE) {
      for (int i = 0; i < SIZE; i++) {
        int mixed = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7FFFFFFF);
        state[i] = state[(i + SHIFT) % SIZE] ^ (mixed >>> 1) ^ ((mixed & 1) == 0 ? 0 : 0x9908B0DF);
      }
      next = 0;
    }
    int bits = state[next++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9D2C5680;
    bits ^= (bits << 15) & 0xEFC60000;
    return bits ^ (bits >>> 18);
  }

  /** {@code random.random()}. */
  double uniform() {
    long high = Integer.toUnsignedLong(nextBits()) >>> 5;
    long low = Integer.toUnsignedLong(nextBits()) >>> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }

  /** {@code random.normalvariate(mean, deviation)}. */
  double normal(double mean, double deviation) {
    while (true) {
      double first = uniform();
      double second = 1 - uniform();
      double z = NORMAL_MAGIC * (first - 0.5) / second;
      if (z * z / 4 <= -Math.log(second)) {
        return mean + z * deviation;
      }
    }
  }
}
