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

  /** Gives the memory back. */
  @Override
  void close();
}
