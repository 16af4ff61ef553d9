package dev.sparkmla.compute;

/**
 * A vector of the model's parameters in a backend's memory, float32: the gain of a norm, a bias.
 * Immutable. Its owner is who uploaded it; a backend takes only its own.
 */
public interface WeightVector extends AutoCloseable {
  /** Number of elements. */
  int size();

  /** Frees the memory. */
  @Override
  void close();
}
