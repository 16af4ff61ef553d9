package dev.sparkmla.compute;

/**
 * A matrix of activations in a backend's memory. Its owner is who allocated it; a backend takes
 * only its own. Not thread-safe.
 */
public interface Activation extends AutoCloseable {
  /** Number of rows, one a token unless said otherwise. */
  int rows();

  /** Number of columns. */
  int columns();

  /**
   * Some of its columns, in the same memory: what is written to one is seen in the other. It ends
   * with this activation; closing it does nothing.
   *
   * @param first the first of the columns
   * @param count how many
   * @throws IllegalArgumentException if it does not have them, or is held as {@link
   *     Precision#FLOAT8} alone
   */
  Activation columns(int first, int count);

  /** Frees the memory. */
  @Override
  void close();
}
