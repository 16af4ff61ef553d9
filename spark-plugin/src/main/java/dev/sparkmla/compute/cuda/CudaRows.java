package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Weight.RowRange;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Weights;

/** Rows of a weight that lie one after the other on the device, in one format. */
final class CudaRows implements AutoCloseable {
  private final WeightMemory memory;
  private final RowRange range;
  private final int columns;

  CudaRows(WeightMemory memory, RowRange range, int columns) {
    this.memory = memory;
    this.range = range;
    this.columns = columns;
  }

  RowRange range() {
    return range;
  }

  /** {@code [rows of the range, columns]}, of a format without scales. */
  DeviceTensor matrix() {
    return memory.tensor(range.count(), columns);
  }

  /** {@code [rows of the range, columns]}, of a format with scales. */
  Float8Weights float8() {
    return memory.float8(range.count(), columns);
  }

  /**
   * Of each head's rows some, of a format without scales.
   *
   * @return {@code [heads, count, columns]}
   */
  DeviceTensor heads(int heads, int first, int count) {
    ElementType type = WeightMemory.type(range.format());
    long each = range.count() / heads;
    return DeviceTensor.strided(
        memory.values(),
        (long) first * columns * type.bytes(),
        type,
        new long[] {heads, count, columns},
        new long[] {each * columns, columns, 1});
  }

  @Override
  public void close() {
    memory.close();
  }
}
