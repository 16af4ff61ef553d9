package dev.sparkmla.compute;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/** Elements of a checkpoint as float32, which holds those of every type exactly. */
public final class Float32 {
  private Float32() {}

  /**
   * Writes the elements of {@code from}, which are little-endian and of {@code type}, to {@code
   * to[at ..]}.
   *
   * @return how many they are
   */
  public static int widen(DataType type, ByteBuffer from, FloatBuffer to, int at) {
    int count = from.capacity() / type.bytes();
    switch (type) {
      case F32 -> to.put(at, from.asFloatBuffer(), 0, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          to.put(at + i, ofHalf(from.getShort(i * Short.BYTES)));
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          to.put(at + i, Float.intBitsToFloat(from.getShort(i * Short.BYTES) << 16));
        }
      }
    }
    return count;
  }

  /** An IEEE 754 binary16 number. */
  public static float ofHalf(short half) {
    int exponent = half >> 10 & 0x1f;
    int fraction = half & 0x3ff;
    int sign = (half & 0x8000) << 16;
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int bits = exponent == 0x1f ? 0x7f800000 : exponent + 112 << 23;
    return Float.intBitsToFloat(sign | bits | fraction << 13);
  }
}
