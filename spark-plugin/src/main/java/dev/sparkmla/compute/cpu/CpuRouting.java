package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Routing;

/**
 * Chosen experts and weights, {@code [rows * perToken]}.
 *
 * @param perToken experts of a row
 * @param experts ids, best first; {@link #NONE} in rows that are empty
 * @param weights theirs
 */
record CpuRouting(int perToken, int[] experts, float[] weights) implements Routing {
  /** No expert. */
  static final int NONE = -1;

  static CpuRouting of(Routing routing) {
    return (CpuRouting) routing;
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
