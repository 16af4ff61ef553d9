package dev.sparkmla.cuda;

/** E4M3 on the host: what each byte stands for, and rounding to it. */
final class Float8Values {
  static final float LARGEST = 448;

  private Float8Values() {}

  /** The value of a byte: 1 sign bit, 4 exponent bits of bias 7, 3 fraction bits. */
  static float decode(byte bits) {
    int exponent = bits >> 3 & 15;
    int fraction = bits & 7;
    float magnitude =
        (bits & 127) == 127
            ? Float.NaN
            : exponent == 0
                ? Math.scalb(fraction / 8f, -6)
                : Math.scalb(1 + fraction / 8f, exponent - 7);
    return bits < 0 ? -magnitude : magnitude;
  }

  /** The nearest value, ties to even, of one that is at most 448. */
  static float round(double value) {
    double step = Math.scalb(1.0, Math.max(Math.getExponent(value), -6) - 3);
    return (float) Math.min(LARGEST, Math.max(-LARGEST, Math.rint(value / step) * step));
  }

  /** Rounds each 128 columns of a row to e4m3 times a scale, as the kernels do. */
  static void quantize(double[] row) {
    for (int from = 0; from < row.length; from += Float8Weights.BLOCK) {
      int to = Math.min(row.length, from + Float8Weights.BLOCK);
      double largest = 0;
      for (int i = from; i < to; i++) {
        largest = Math.max(largest, Math.abs(row[i]));
      }
      double scale = largest == 0 ? 1 : largest / LARGEST;
      for (int i = from; i < to; i++) {
        row[i] = round(row[i] / scale) * scale;
      }
    }
  }
}
