package dev.sparkmla.compute;

import java.util.List;

/**
 * How the elements of a weight are written down, in a checkpoint and in a backend's memory. A
 * format with scales stores quotients: an element is what is stored times its scale.
 */
public enum WeightFormat {
  /** IEEE 754 binary32. */
  FLOAT32,
  /** The upper 16 bits of binary32. */
  BFLOAT16,
  /**
   * {@link DataType#F8_E4M3} with a scale for each block of {@value #BLOCK} rows and {@value
   * #BLOCK} columns; the last blocks may be smaller (DeepSeek-V3, arXiv:2412.19437, section 3.3).
   */
  FLOAT8_BLOCKS,
  /** {@link DataType#F8_E4M3} with a scale for each row. */
  FLOAT8_ROWS;

  /** Rows and columns of a block of {@link #FLOAT8_BLOCKS}. */
  public static final int BLOCK = 128;

  /**
   * The shape of a matrix's scales: {@code [ceil(rows / 128), ceil(columns / 128)]}, {@code [rows,
   * 1]}, or empty for a format without scales.
   */
  public List<Integer> scaleShape(int rows, int columns) {
    return switch (this) {
      case FLOAT32, BFLOAT16 -> List.of();
      case FLOAT8_BLOCKS -> List.of(blocks(rows), blocks(columns));
      case FLOAT8_ROWS -> List.of(rows, 1);
    };
  }

  /** Blocks that so many rows, or columns, are divided into. */
  public static int blocks(int count) {
    return (count + BLOCK - 1) / BLOCK;
  }
}
