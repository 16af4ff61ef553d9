package dev.sparkmla.compute.cpu;

/** Loops over heap arrays, in a form the compiler vectorizes. */
final class Vectors {
  private Vectors() {}

  /** RMS norm of {@code values[0 .. gains.length)} in place. */
  static void normalize(float[] values, float[] gains, float epsilon) {
    int count = gains.length;
    double squares = 0;
    for (int i = 0; i < count; i++) {
      squares += (double) values[i] * values[i];
    }
    float factor = (float) (1 / Math.sqrt(squares / count + epsilon));
    for (int i = 0; i < count; i++) {
      values[i] = values[i] * factor * gains[i];
    }
  }

  /** {@code gate = gate / (1 + e^-gate) * up}. */
  static void gate(float[] gate, float[] up, int count, Scratch scratch) {
    float[] powers = scratch.array(Scratch.Use.SCORES, count);
    for (int i = 0; i < count; i++) {
      powers[i] = -gate[i];
    }
    scratch.exponential().apply(powers, 0, count);
    for (int i = 0; i < count; i++) {
      gate[i] = gate[i] / (1f + powers[i]) * up[i];
    }
  }

  /** The largest of {@code values[from .. from + count)}. */
  static float largest(float[] values, int from, int count) {
    float largest = Float.NEGATIVE_INFINITY;
    for (int i = from; i < from + count; i++) {
      largest = Math.max(largest, values[i]);
    }
    return largest;
  }

  /** Sum of {@code values[from .. from + count)}, in eight running sums. */
  static float sum(float[] values, int from, int count) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    float e = 0;
    float f = 0;
    float g = 0;
    float h = 0;
    int i = from;
    for (; i + 7 < from + count; i += 8) {
      a += values[i];
      b += values[i + 1];
      c += values[i + 2];
      d += values[i + 3];
      e += values[i + 4];
      f += values[i + 5];
      g += values[i + 6];
      h += values[i + 7];
    }
    for (; i < from + count; i++) {
      a += values[i];
    }
    return ((a + b) + (c + d)) + ((e + f) + (g + h));
  }

  /** {@code sums[at + i] = sums[at + i] * factor + values[from + i]}. */
  static void scaleAndAdd(float[] sums, int at, float factor, float[] values, int from, int count) {
    for (int i = 0; i < count; i++) {
      sums[at + i] = Math.fma(sums[at + i], factor, values[from + i]);
    }
  }

  /** {@code sums[at + i] += values[from + i] * factor}. */
  static void addScaled(float[] sums, int at, float factor, float[] values, int from, int count) {
    for (int i = 0; i < count; i++) {
      sums[at + i] = Math.fma(values[from + i], factor, sums[at + i]);
    }
  }

  /** Multiplies {@code values[from .. from + count)}. */
  static void scale(float[] values, int from, int count, float factor) {
    for (int i = from; i < from + count; i++) {
      values[i] *= factor;
    }
  }
}
