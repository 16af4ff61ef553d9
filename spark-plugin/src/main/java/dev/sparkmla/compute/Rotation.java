package dev.sparkmla.compute;

/** The angles of a rotary embedding in a backend's memory. Immutable. Its owner is who made it. */
public interface Rotation extends AutoCloseable {
  /** Frees the memory. */
  @Override
  void close();
}
