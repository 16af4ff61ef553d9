package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Rows;
import dev.sparkmla.cuda.GemmRows;
import java.util.Optional;
import java.util.Set;

/**
 * Rows in the arena, each at a multiple of 16 bytes: as float32 or bf16, in 8 bits, or as bf16 and
 * in 8 bits. There is memory for as many rows as the next bucket has, so that kernels may take a
 * few more rows than it says.
 */
final class CudaActivation implements Activation {
  private static final int ROW_ALIGNMENT = 8;

  private final Arena.Block block;
  private final boolean owner;
  private final int rows;
  private final int first;
  private final int columns;
  private final long stride;
  private final Optional<ElementType> type;
  private final Optional<Float8Rows> float8;

  CudaActivation(Arena arena, int rows, int columns, Set<Precision> precisions) {
    this.rows = rows;
    this.first = 0;
    this.columns = columns;
    this.stride = (columns + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
    this.type = type(precisions);
    int most = Buckets.above(rows);
    long bytes = type.map(element -> most * stride * element.bytes()).orElse(0L);
    boolean quantized = precisions.contains(Precision.FLOAT8);
    this.block = arena.take(Math.max(1, bytes + (quantized ? Float8Rows.bytes(most, columns) : 0)));
    this.float8 =
        quantized
            ? Optional.of(
                Float8Rows.in(block.buffer(), block.offset() + bytes, paddedRows(), columns))
            : Optional.empty();
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
    this.float8 = Optional.empty();
  }

  /** A float32 activation of the same elements; their copy is enqueued. */
  CudaActivation copy(Arena arena, CudaStream stream) {
    CudaActivation copy = new CudaActivation(arena, rows, columns, Set.of(Precision.FLOAT32));
    long bytes = rows * stride * ElementType.FLOAT32.bytes();
    copy.block
        .buffer()
        .copyFromDevice(copy.block.offset(), block.buffer(), block.offset(), bytes, stream);
    return copy;
  }

  private static Optional<ElementType> type(Set<Precision> precisions) {
    if (precisions.contains(Precision.FLOAT32)) {
      return Optional.of(ElementType.FLOAT32);
    }
    return precisions.contains(Precision.BFLOAT16)
        ? Optional.of(ElementType.BFLOAT16)
        : Optional.empty();
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
    return tensor(0, paddedRows());
  }

  private int paddedRows() {
    return Math.min(Buckets.above(rows), (rows + 3) / 4 * 4);
  }

  /** All of it in 8 bits and as many undefined rows as {@link #padded}, where it is held so. */
  Optional<Float8Rows> float8() {
    return float8;
  }

  /** All of it in every form that a GEMM reads. */
  GemmRows gemmRows() {
    return new GemmRows(
        type.map(element -> tensor()), float8.map(quantized -> quantized.first(rows)));
  }

  /** {@code count} rows from {@code row} on. */
  DeviceTensor tensor(int row, int count) {
    return DeviceTensor.strided(
        block.buffer(), at(row, 0), type(), new long[] {count, columns}, new long[] {stride, 1});
  }

  /** {@code count} rows from {@code row} on, as heads of {@code width} columns, of these a part. */
  DeviceTensor heads(int row, int count, int heads, int width, int column, int size) {
    return DeviceTensor.strided(
        block.buffer(),
        at(row, column),
        type(),
        new long[] {count, heads, size},
        new long[] {stride, width, 1});
  }

  /** The type of its elements as floats. */
  private ElementType type() {
    return type.orElseThrow(
        () -> new IllegalArgumentException("an activation in 8 bits where one of floats belongs"));
  }

  private long at(int row, int column) {
    return block.offset() + (row * stride + first + column) * type().bytes();
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
  public Activation columns(int from, int count) {
    type();
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
