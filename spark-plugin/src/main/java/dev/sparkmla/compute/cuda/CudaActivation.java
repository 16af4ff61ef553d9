package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/**
 * Rows in the arena, each at a multiple of 16 bytes. There is memory for as many rows as the next
 * bucket has, so that kernels may take a few more rows than it says.
 */
final class CudaActivation implements Activation {
  private static final int ROW_ALIGNMENT = 8;

  private final Arena.Block block;
  private final boolean owner;
  private final int rows;
  private final int first;
  private final int columns;
  private final long stride;
  private final ElementType type;

  CudaActivation(Arena arena, int rows, int columns, Precision precision) {
    this.rows = rows;
    this.first = 0;
    this.columns = columns;
    this.stride = (columns + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
    this.type =
        switch (precision) {
          case BFLOAT16 -> ElementType.BFLOAT16;
          case FLOAT32 -> ElementType.FLOAT32;
        };
    this.block = arena.take(Math.max(1, Buckets.above(rows) * stride * type.bytes()));
    this.owner = true;
  }

  private CudaActivation(CudaActivation whole, int first, int columns) {
    this.block = whole.block;
    this.owner = false;
    this.rows = whole.rows;
    this.first = whole.first + first;
    this.columns = columns;
    this.stride = whole.stride;
    this.type = whole.type;
  }

  static CudaActivation of(Activation activation) {
    return (CudaActivation) activation;
  }

  /** All of it. */
  DeviceTensor tensor() {
    return tensor(0, rows);
  }

  /**
   * All of it and up to 3 undefined rows after the last, so that there are a multiple of 4 of them
   * where there are more than 2.
   */
  DeviceTensor padded() {
    return tensor(0, Math.min(Buckets.above(rows), (rows + 3) / 4 * 4));
  }

  /** {@code count} rows from {@code row} on. */
  DeviceTensor tensor(int row, int count) {
    return DeviceTensor.strided(
        block.buffer(), at(row, 0), type, new long[] {count, columns}, new long[] {stride, 1});
  }

  /** {@code count} rows from {@code row} on, as heads of {@code width} columns, of these a part. */
  DeviceTensor heads(int row, int count, int heads, int width, int column, int size) {
    return DeviceTensor.strided(
        block.buffer(),
        at(row, column),
        type,
        new long[] {count, heads, size},
        new long[] {stride, width, 1});
  }

  private long at(int row, int column) {
    return block.offset() + (row * stride + first + column) * type.bytes();
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public Precision precision() {
    return type == ElementType.FLOAT32 ? Precision.FLOAT32 : Precision.BFLOAT16;
  }

  @Override
  public Activation columns(int from, int count) {
    if (from < 0 || count < 1 || from + count > columns) {
      throw new IllegalArgumentException(
          count + " columns from " + from + " on, of an activation of " + columns);
    }
    return new CudaActivation(this, from, count);
  }

  @Override
  public void close() {
    if (owner) {
      block.close();
    }
  }
}
