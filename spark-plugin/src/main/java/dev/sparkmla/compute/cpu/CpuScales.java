package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Float32;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.WeightFormat;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Optional;

/** The scales of rows of {@link dev.sparkmla.compute.DataType#F8_E4M3}, float32. Immutable. */
final class CpuScales {
  private final float[] values;
  private final int columns;

  /** Rows and columns that share a scale. */
  private final int blockRows;

  private final int blockColumns;

  /** The row of the matrix that is the first one here. */
  private final int firstRow;

  private CpuScales(Tensor tensor, int columns, int blockRows, int blockColumns, int firstRow) {
    this.values = new float[Math.toIntExact(tensor.elements())];
    this.columns = columns;
    this.blockRows = blockRows;
    this.blockColumns = blockColumns;
    this.firstRow = firstRow;
    int at = 0;
    for (ByteBuffer slice : tensor.slices(0, tensor.bytes())) {
      at += Float32.widen(tensor.type(), slice, FloatBuffer.wrap(values), at);
    }
  }

  /** The scales of a matrix's rows from one on; empty where its format has none. */
  static Optional<CpuScales> of(MatrixSource source, int firstRow) {
    int columns = source.columns();
    return switch (source.format()) {
      case FLOAT32, BFLOAT16 -> Optional.empty();
      case FLOAT8_BLOCKS ->
          source
              .scales()
              .map(
                  tensor ->
                      new CpuScales(
                          tensor, columns, WeightFormat.BLOCK, WeightFormat.BLOCK, firstRow));
      case FLOAT8_ROWS ->
          source.scales().map(tensor -> new CpuScales(tensor, columns, 1, columns, firstRow));
    };
  }

  /**
   * Writes rows as float32, each element times its scale.
   *
   * @param from the rows' elements, from {@link #firstRow} on
   * @param row the first of them
   * @param rows how many
   * @param to gets them from {@code target} on
   */
  void dequantize(ByteBuffer from, int row, int rows, FloatBuffer to, int target) {
    int blocks = (columns + blockColumns - 1) / blockColumns;
    for (int r = 0; r < rows; r++) {
      int scale = (firstRow + row + r) / blockRows * blocks;
      for (int column = 0; column < columns; column += blockColumns) {
        Float32.dequantize(
            from,
            (row + r) * columns + column,
            values[scale++],
            to,
            target + r * columns + column,
            Math.min(blockColumns, columns - column));
      }
    }
  }
}
