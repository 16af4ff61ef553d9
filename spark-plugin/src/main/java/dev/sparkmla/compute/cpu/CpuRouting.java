package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Routing;

/**
 * Chosen experts and weights, {@code [rows * perToken]}.
 *
 * @param in the rows that they are chosen for
 * @param experts the experts
 * @param perToken experts of a row
 * @param chosen ids, best first; {@link #NONE} in rows that are empty
 * @param weights theirs
 */
record CpuRouting(CpuActivation in, CpuExperts experts, int perToken, int[] chosen, float[] weights)
    implements Routing {
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
