package dev.sparkmla.cuda;

import java.util.Locale;

/** What one element of a {@link DeviceTensor} is. */
public enum ElementType {
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
