package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Weight;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** A matrix in bf16, or a vector (one row) in float32. */
final class CudaWeight implements Weight {
  private final DeviceBuffer buffer;
  private final int rows;
  private final int columns;

  CudaWeight(DeviceBuffer buffer, int rows, int columns) {
    this.buffer = buffer;
    this.rows = rows;
    this.columns = columns;
  }

  static CudaWeight of(Weight weight) {
    return (CudaWeight) weight;
  }

  /** What a weight of so many rows is kept as. */
  static ElementType type(int rows) {
    return rows == 1 ? ElementType.FLOAT32 : ElementType.BFLOAT16;
  }

  /** {@code [rows, columns]}. */
  DeviceTensor matrix() {
    return buffer.tensor(type(rows), rows, columns);
  }

  /** {@code [columns]}. */
  DeviceTensor vector() {
    if (rows != 1) {
      throw new IllegalArgumentException("a matrix of " + rows + " rows where a vector belongs");
    }
    return buffer.tensor(ElementType.FLOAT32, columns);
  }

  /**
   * Of each head's rows some.
   *
   * @return {@code [heads, count, columns]}
   */
  DeviceTensor heads(int heads, int first, int count) {
    long each = rows / heads;
    return DeviceTensor.strided(
        buffer,
        (long) first * columns * ElementType.BFLOAT16.bytes(),
        ElementType.BFLOAT16,
        new long[] {heads, count, columns},
        new long[] {each * columns, columns, 1});
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
  public void close() {
    buffer.close();
  }
}
