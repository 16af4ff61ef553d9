package dev.sparkmla.compute;

/**
 * The matrices of all routed experts of a layer in a backend's memory. Immutable. Its owner is who
 * uploaded it; a backend takes only its own.
 */
public interface ExpertWeights extends AutoCloseable {
  /** Number of experts. */
  int experts();

  /** Frees the memory. */
  @Override
  void close();
}
