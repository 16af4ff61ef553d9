package dev.sparkmla.compute;

/**
 * Which tokens a step computes and where their sequences' cache lies, in a backend's memory. Made
 * once a step and used by every layer. Its owner is who made it.
 */
public interface StepPlan extends AutoCloseable {
  /** Number of tokens. */
  int rows();

  /** How many of them, from the first on, decode; the others prefill. */
  int decodeRows();

  /** Gives the memory back. */
  @Override
  void close();
}
