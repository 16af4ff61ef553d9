package dev.sparkmla.compute;

/** The experts chosen for every row of a step and their weights. Its owner is who asked for it. */
public interface Routing extends AutoCloseable {
  /** Frees the memory. */
  @Override
  void close();
}
