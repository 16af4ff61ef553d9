package dev.sparkmla.compute.cpu;

import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** The upper half of float32. */
final class BFloat16 {
  private BFloat16() {}

  /** Widens {@code count} elements. */
  static void widen(ShortBuffer from, int fromIndex, FloatBuffer to, int toIndex, int count) {
    for (int i = 0; i < count; i++) {
      to.put(toIndex + i, Float.intBitsToFloat(from.get(fromIndex + i) << 16));
    }
  }

  /** Rounds to the nearest, to even between two; NaN stays NaN. */
  static short round(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) {
      return (short) (bits >> 16 | 0x40);
    }
    return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >> 16);
  }
}
