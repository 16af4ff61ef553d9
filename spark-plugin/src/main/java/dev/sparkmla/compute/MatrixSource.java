package dev.sparkmla.compute;

import java.util.List;

/**
 * A matrix of a checkpoint with every tensor that belongs to it: what a backend uploads. A format
 * with scales adds their tensors here.
 *
 * @param values {@code [rows, columns]}
 */
public record MatrixSource(Tensor values) {
  /**
   * Checks the shape.
   *
   * @throws IllegalArgumentException if it is not a matrix's
   */
  public MatrixSource {
    if (values.shape().size() != 2) {
      throw new IllegalArgumentException(values + " is no matrix");
    }
  }

  /** The name of its values in the checkpoint. */
  public String name() {
    return values.name();
  }

  /** Number of rows. */
  public int rows() {
    return values.shape().get(0);
  }

  /** Number of columns. */
  public int columns() {
    return values.shape().get(1);
  }

  /**
   * Number of rows of matrices one below the other.
   *
   * @throws IllegalArgumentException if there are none, or their numbers of columns differ
   */
  public static int stackedRows(List<MatrixSource> parts) {
    if (parts.isEmpty()) {
      throw new IllegalArgumentException("no matrices");
    }
    int rows = 0;
    for (MatrixSource part : parts) {
      if (part.columns() != parts.get(0).columns()) {
        throw new IllegalArgumentException(
            part.values() + " lies below " + parts.get(0).values() + "; expected as many columns");
      }
      rows = Math.addExact(rows, part.rows());
    }
    return rows;
  }

  /** The format that holds every element as the checkpoint has it. */
  public WeightFormat format() {
    return switch (values.type()) {
      case BF16 -> WeightFormat.BFLOAT16;
      case F16, F32 -> WeightFormat.FLOAT32;
    };
  }
}
