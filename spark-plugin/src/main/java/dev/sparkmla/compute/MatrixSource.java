package dev.sparkmla.compute;

import java.util.List;
import java.util.Optional;

/**
 * A matrix of a checkpoint with every tensor that belongs to it: what a backend uploads.
 *
 * @param values {@code [rows, columns]}
 * @param format what holds every element as the checkpoint has it
 * @param scales float32, float16 or bf16, of the format's {@linkplain WeightFormat#scaleShape
 *     shape}; none where that is empty
 */
public record MatrixSource(Tensor values, WeightFormat format, Optional<Tensor> scales) {
  /**
   * Checks the shapes.
   *
   * @throws IllegalArgumentException if the values are no matrix, or the scales are not those of
   *     the format
   */
  public MatrixSource {
    if (values.shape().size() != 2) {
      throw new IllegalArgumentException(values + " is no matrix");
    }
    List<Integer> expected = format.scaleShape(values.shape().get(0), values.shape().get(1));
    if (!scales.map(Tensor::shape).orElse(List.of()).equals(expected)) {
      throw new IllegalArgumentException(
          "%s as %s has scales %s; expected shape %s".formatted(values, format, scales, expected));
    }
  }

  /** A matrix without scales, of 16 or 32 bits an element. */
  public static MatrixSource of(Tensor values) {
    WeightFormat format =
        switch (values.type()) {
          case BF16 -> WeightFormat.BFLOAT16;
          case F16, F32 -> WeightFormat.FLOAT32;
          case F8_E4M3 -> throw new IllegalArgumentException(values + " needs scales");
        };
    return new MatrixSource(values, format, Optional.empty());
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
}
