package dev.sparkmla.compute;

/**
 * A matrix of the model's parameters in a backend's memory, row-major, {@code [rows, columns]}; a
 * vector is one row. Immutable. Its owner is who uploaded it; a backend takes only its own.
 */
public interface Weight extends AutoCloseable {
  /** Number of rows: outputs of a product, ids of an embedding. */
  int rows();

  /** Number of columns: inputs of a product. */
  int columns();

  /** Gives the memory back. */
  @Override
  void close();
}
