package dev.sparkmla.compute.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * e to the x over arrays, several times as fast as {@link Math#exp}, within 2 ulp. Splits x into k
 * ln 2 + r (Cody and Waite 1980, with ln 2 in two parts) and takes a polynomial of degree 6 in r
 * (that of Cephes' expf). The bits of 2^k are made by integer arithmetic over a view of the same
 * memory, because the compiler vectorizes neither casts nor {@link Float#intBitsToFloat}. Loops run
 * over arrays of their own, from the first element on: where they index a part of the caller's
 * array by an offset, JDK 17's code takes five times as long. Not thread-safe.
 */
final class Exponential {
  /** Below it the result is that of it: the smallest whose result is a normal number. */
  static final float LOWEST = -87.0f;

  /** Above it the result is that of it. */
  static final float HIGHEST = 88.0f;

  private static final int RUN = 1024;
  private static final float ROUNDER = 12582912f; // 1.5 * 2^23: adding it rounds to an integer.
  private static final float LOG2_E = 1.44269504f;
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;

  private final float[] taken = new float[RUN];
  private final float[] rounded = new float[RUN];
  private final int[] bits = new int[RUN];
  private final FloatBuffer floats;
  private final IntBuffer ints;

  Exponential() {
    ByteBuffer view = ByteBuffer.allocateDirect(RUN * Float.BYTES).order(ByteOrder.nativeOrder());
    floats = view.asFloatBuffer();
    ints = view.asIntBuffer();
  }

  /** Replaces {@code values[from .. from + count)} by their exponentials. */
  void apply(float[] values, int from, int count) {
    for (int begin = from; begin < from + count; begin += RUN) {
      run(values, begin, Math.min(RUN, from + count - begin));
    }
  }

  private void run(float[] values, int from, int count) {
    System.arraycopy(values, from, taken, 0, count);
    reduce(taken, rounded, count);
    floats.put(0, rounded, 0, count);
    ints.get(0, bits, 0, count);
    exponents(bits, count);
    ints.put(0, bits, 0, count);
    floats.get(0, rounded, 0, count);
    multiply(taken, rounded, count);
    System.arraycopy(taken, 0, values, from, count);
  }

  private static void reduce(float[] values, float[] rounded, int count) {
    for (int i = 0; i < count; i++) {
      float x = Math.max(Math.min(values[i], HIGHEST), LOWEST);
      float t = Math.fma(x, LOG2_E, ROUNDER);
      rounded[i] = t;
      float k = t - ROUNDER;
      float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, x));
      float p = Math.fma(1.9875691500e-4f, r, 1.3981999507e-3f);
      p = Math.fma(p, r, 8.3334519073e-3f);
      p = Math.fma(p, r, 4.1665795894e-2f);
      p = Math.fma(p, r, 1.6666665459e-1f);
      p = Math.fma(p, r, 5.0000001201e-1f);
      values[i] = Math.fma(p * r, r, r) + 1f;
    }
  }

  private static void multiply(float[] values, float[] factors, int count) {
    for (int i = 0; i < count; i++) {
      values[i] *= factors[i];
    }
  }

  /** The low bits of the rounder's sum are k; moved into the exponent's place they make 2^k. */
  private static void exponents(int[] bits, int count) {
    for (int i = 0; i < count; i++) {
      bits[i] = (bits[i] << 23) + 0x3f800000;
    }
  }
}
