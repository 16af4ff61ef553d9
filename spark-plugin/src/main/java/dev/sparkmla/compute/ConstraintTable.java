package dev.sparkmla.compute;

import dev.sparkmla.policy.Constraint;

/**
 * A constraint in a backend's memory. Its owner is who asked for it. While it is open, rows may be
 * constrained by it; of an equal automaton there is one table, however many own it.
 */
public interface ConstraintTable extends AutoCloseable {
  /** What it is made of. */
  Constraint constraint();

  /** Gives the memory back, once no step that was run uses it and no other owner is left. */
  @Override
  void close();
}
