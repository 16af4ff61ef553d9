package dev.sparkmla.compute;

/**
 * Which tokens a step computes, where their sequences' cache lies, and which tokens are sampled
 * how, in a backend's memory. Made once a step and used by every layer. Its owner is who made it.
 *
 * <p>A backend may add rows, among the step's and among the sampled ones: so that steps of nearly
 * the same size have the same shape, or so that every row lies where its result does not depend on
 * the others. Rows that were added write nothing to the cache, and nobody sees what is computed
 * from them.
 */
public interface StepPlan extends AutoCloseable {
  /** Number of rows of the step's activations: its tokens, and rows that were added. */
  int rows();

  /** How many of the rows, from the first on, decode (absorbed); the others prefill (expanded). */
  int decodeRows();

  /** Number of rows that a token is sampled from, and rows that were added. */
  int sampledRows();

  /**
   * Which of the sampled rows is a sample's.
   *
   * @param sample counts from 0 on in the order of the segments and, within one, of its samples
   */
  int sampledRow(int sample);

  /** Frees the memory. The step need not be done, but its tokens can no longer be had. */
  @Override
  void close();
}
