package dev.sparkmla.cuda;

import java.util.Locale;

/** What one element of a {@link DeviceTensor} is. */
public enum ElementType {
  /**
   * FP8 E4M3: 1 sign, 4 exponent (bias 7), 3 fraction bits; up to ±448, no infinity, NaN 0x7F and
   * 0xFF. Such values need scales: {@link Float8Weights}, {@link Float8Rows}.
   */
  FLOAT8_E4M3(1),
  /** The upper half of a float32: 1 sign, 8 exponent, 7 fraction bits. */
  BFLOAT16(2),
  /** IEEE 754 half precision; checkpoints hold it, no operation computes in it. */
  FLOAT16(2),
  /** IEEE 754 single precision. */
  FLOAT32(4),
  /** Signed 32-bit integer. */
  INT32(4);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of one element. */
  public int bytes() {
    return bytes;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
