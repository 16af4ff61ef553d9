package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireAligned;
import static dev.sparkmla.cuda.TensorChecks.requireArray;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

/**
 * FP8 weights: a weight is its value times its scale. One matrix, or one for each expert. It owns
 * nothing.
 *
 * @param values float8_e4m3 [n, k] or [experts, n, k], k a multiple of 16, aligned to 16 bytes
 * @param scales float32, contiguous. {@link Float8Scaling#BLOCK}: [ceil(n / 128), {@link
 *     #scaleColumns}(k)], of which the first ceil(k / 128) count; {@link Float8Scaling#CHANNEL}:
 *     [n]. Of experts: one such array for each
 * @param scaling which weights share a scale
 */
public record Float8Weights(DeviceTensor values, DeviceTensor scales, Float8Scaling scaling) {
  /** Rows, and columns, of a block that shares a scale. */
  public static final int BLOCK = 128;

  /** Rows of a matrix that a GEMM takes are a multiple of this. */
  public static final int ROW_MULTIPLE = 8;

  /** Columns of every matrix are a multiple of this. */
  public static final int COLUMN_MULTIPLE = 16;

  private static final int SCALE_MULTIPLE = 4;

  /** How many blocks so many rows or columns have. */
  public static long blocks(long size) {
    return (size + BLOCK - 1) / BLOCK;
  }

  /**
   * How many scales a row of blocks takes in memory, those that it has and up to 3 unused ones:
   * cuBLASLt wants a multiple of 4.
   */
  public static long scaleColumns(long k) {
    return (blocks(k) + SCALE_MULTIPLE - 1) / SCALE_MULTIPLE * SCALE_MULTIPLE;
  }

  /** Checks one matrix for a kernel; there may be gaps between its rows. */
  void requireMatrix(CudaContext context, String name, long n, long k) {
    requireColumns(name, k);
    requireRows(
        context, name, values, ElementType.FLOAT8_E4M3, COLUMN_MULTIPLE, 16, new long[] {n, k});
    switch (scaling) {
      case BLOCK -> requireScales(context, name, blocks(n), scaleColumns(k));
      case CHANNEL -> requireScales(context, name, n);
    }
  }

  /** Checks experts' matrices of {@code parts} times n rows; each part begins a new block. */
  void requireExperts(CudaContext context, String name, long experts, int parts, long n, long k) {
    requireColumns(name, k);
    requireArray(context, name, values, ElementType.FLOAT8_E4M3, experts, parts * n, k);
    requireAligned(name, values, COLUMN_MULTIPLE);
    switch (scaling) {
      case BLOCK -> requireScales(context, name, experts, parts * blocks(n), scaleColumns(k));
      case CHANNEL -> requireScales(context, name, experts, parts * n);
    }
  }

  private void requireScales(CudaContext context, String name, long... shape) {
    requireArray(context, "scales of " + name, scales, ElementType.FLOAT32, shape);
  }

  static void requireColumns(String name, long k) {
    CudaArgumentException.require(
        k % COLUMN_MULTIPLE == 0,
        "%s must have a multiple of %d columns, has %d",
        name,
        COLUMN_MULTIPLE,
        k);
  }
}
