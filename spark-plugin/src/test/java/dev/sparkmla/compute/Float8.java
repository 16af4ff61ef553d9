package dev.sparkmla.compute;

/** Numbers of {@link DataType#F8_E4M3}, by their definition. */
public final class Float8 {
  /** The largest number. */
  public static final float LARGEST = 448;

  private static final double SMALLEST_NORMAL = 0x1p-6;
  private static final double SMALLEST = 0x1p-9;

  private Float8() {}

  /** The value of a byte: {@code (-1)^sign * 2^(exponent - 7) * 1.fraction}, or subnormal. */
  public static double value(byte bits) {
    int exponent = bits >> 3 & 0xf;
    int fraction = bits & 7;
    if ((bits & 0x7f) == 0x7f) {
      return Double.NaN;
    }
    double magnitude =
        exponent == 0 ? fraction * SMALLEST : (1 + fraction / 8.0) * Math.pow(2, exponent - 7);
    return bits < 0 ? -magnitude : magnitude;
  }

  /** The nearest number, the even one of two, the largest one for all that are larger. */
  public static byte round(double value) {
    int sign = Math.copySign(1, value) < 0 ? 0x80 : 0;
    double magnitude = Math.min(Math.abs(value), LARGEST);
    double step = Math.max(SMALLEST, Math.pow(2, Math.getExponent(magnitude) - 3));
    double rounded = Math.rint(magnitude / step) * step;
    if (rounded < SMALLEST_NORMAL) {
      return (byte) (sign | (int) (rounded / SMALLEST));
    }
    int exponent = Math.getExponent(rounded);
    int fraction = (int) (rounded / Math.pow(2, exponent - 3)) - 8;
    return (byte) (sign | exponent + 7 << 3 | fraction);
  }
}
