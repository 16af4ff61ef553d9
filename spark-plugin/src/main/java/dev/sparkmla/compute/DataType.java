package dev.sparkmla.compute;

/** The element types a checkpoint may hold and the backends can read. */
public enum DataType {
  /** IEEE 754 binary32. */
  F32(4),
  /** IEEE 754 binary16. */
  F16(2),
  /** The upper 16 bits of binary32. */
  BF16(2),
  /**
   * 8 bits: a sign, 4 of exponent with bias 7, 3 of fraction; no infinity, and NaN where all but
   * the sign are set (Open Compute Project, OCP 8-bit Floating Point Specification, E4M3).
   */
  F8_E4M3(1);

  private final int bytes;

  DataType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
