package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Weight.RowRange;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** Rows of a weight that lie one after the other on the device, in one format. */
final class CudaRows implements AutoCloseable {
  private final DeviceBuffer buffer;
  private final RowRange range;
  private final int columns;

  CudaRows(DeviceBuffer buffer, RowRange range, int columns) {
    this.buffer = buffer;
    this.range = range;
    this.columns = columns;
  }

  /** The format that the device holds a matrix in: its GEMMs take bf16. */
  static WeightFormat held(MatrixSource source) {
    return switch (source.format()) {
      case BFLOAT16, FLOAT32, FLOAT8_BLOCKS, FLOAT8_ROWS -> WeightFormat.BFLOAT16;
    };
  }

  /** The type of the elements of a format. */
  static ElementType type(WeightFormat format) {
    return switch (format) {
      case BFLOAT16 -> ElementType.BFLOAT16;
      case FLOAT32 -> ElementType.FLOAT32;
      case FLOAT8_BLOCKS, FLOAT8_ROWS ->
          throw new IllegalArgumentException("the device holds no " + format);
    };
  }

  RowRange range() {
    return range;
  }

  /** {@code [rows of the range, columns]}. */
  DeviceTensor matrix() {
    return buffer.tensor(type(range.format()), range.count(), columns);
  }

  /**
   * Of each head's rows some.
   *
   * @return {@code [heads, count, columns]}
   */
  DeviceTensor heads(int heads, int first, int count) {
    ElementType type = type(range.format());
    long each = range.count() / heads;
    return DeviceTensor.strided(
        buffer,
        (long) first * columns * type.bytes(),
        type,
        new long[] {heads, count, columns},
        new long[] {each * columns, columns, 1});
  }

  @Override
  public void close() {
    buffer.close();
  }
}
