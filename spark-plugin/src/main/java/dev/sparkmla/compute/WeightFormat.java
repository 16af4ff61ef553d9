package dev.sparkmla.compute;

/** How the elements of a weight are written down, in a checkpoint and in a backend's memory. */
public enum WeightFormat {
  /** IEEE 754 binary32. */
  FLOAT32,
  /** The upper 16 bits of binary32. */
  BFLOAT16
}
