package dev.sparkmla.compute;

/**
 * How the elements of an activation are held, where the machine has a use for the difference. The
 * CPU backend holds all of them as float32.
 */
public enum Precision {
  /** What a GEMM reads, and what attention and experts do. */
  BFLOAT16,
  /**
   * 8 bits with scales, which a GEMM over weights of 8 bits reads. It takes {@link #BFLOAT16} too,
   * and quantizes it first.
   */
  FLOAT8,
  /** The residual stream, router logits and logits. */
  FLOAT32
}
