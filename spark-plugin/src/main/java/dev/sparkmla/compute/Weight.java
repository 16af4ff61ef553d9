package dev.sparkmla.compute;

import java.util.List;
import java.util.Set;

/**
 * A matrix of the model's parameters in a backend's memory, row-major, {@code [rows, columns]}. It
 * may be several matrices of the checkpoint, one below the other, of which each keeps its format.
 * Immutable. Its owner is who uploaded it; a backend takes only its own.
 */
public interface Weight extends AutoCloseable {
  /**
   * Rows of one format.
   *
   * @param first the first of them
   * @param count how many
   * @param format how the backend holds their elements
   */
  record RowRange(int first, int count, WeightFormat format) {}

  /** Number of rows: outputs of a GEMM, ids of an embedding. */
  int rows();

  /** Number of columns: inputs of a GEMM. */
  int columns();

  /**
   * All rows from the first to the last, by format. A backend may make one range of neighbouring
   * matrices of one format; it computes each range with one GEMM at most.
   */
  List<RowRange> ranges();

  /** How a GEMM over it reads its input best. */
  Set<Precision> inputs();

  /** Frees the memory. */
  @Override
  void close();
}
