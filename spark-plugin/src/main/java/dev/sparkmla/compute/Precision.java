package dev.sparkmla.compute;

/**
 * How the elements of an activation are held, where the machine has a use for the difference. The
 * CPU backend holds all of them as float32.
 */
public enum Precision {
  /** What a GEMM reads. */
  BFLOAT16,
  /** The residual stream, router logits and logits. */
  FLOAT32
}
