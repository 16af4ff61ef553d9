package dev.sparkmla.compute.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/** The upper half of float32. */
final class BFloat16 {
  /** The upper halves of a little-endian long's two floats. */
  private static final long FIRST = 0xffff0000L;

  private static final long SECOND = FIRST << 32;

  private BFloat16() {}

  /**
   * Widens {@code count} little-endian elements to float32, from one index on to another. Four at a
   * time, because the compiler does not vectorize the change of size; through views of its own,
   * because the compiler then keeps their fields in registers: 5 elements a nanosecond, where one
   * at a time gives 1.3.
   */
  static void widen(ByteBuffer from, int fromIndex, ByteBuffer to, int toIndex, int count) {
    ByteBuffer narrow = part(from, fromIndex * Short.BYTES, count * Short.BYTES);
    ByteBuffer wide = part(to, toIndex * Float.BYTES, count * Float.BYTES);
    LongBuffer fours = narrow.asLongBuffer();
    LongBuffer twos = wide.asLongBuffer();
    int whole = count / 4;
    for (int i = 0; i < whole; i++) {
      long four = fours.get(i);
      twos.put(2 * i, four << 16 & FIRST | four << 32 & SECOND);
      twos.put(2 * i + 1, four >>> 16 & FIRST | four & SECOND);
    }
    for (int i = 4 * whole; i < count; i++) {
      wide.putInt(i * Float.BYTES, narrow.getShort(i * Short.BYTES) << 16);
    }
  }

  private static ByteBuffer part(ByteBuffer of, int from, int bytes) {
    return of.slice(from, bytes).order(ByteOrder.LITTLE_ENDIAN);
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
