package dev.sparkmla.compute;

/**
 * Which tokens a step computes, where their sequences' cache lies, and which tokens are sampled
 * how, in a backend's memory. Made once a step and used by every layer. Its owner is who made it.
 *
 * <p>A backend may add rows so that steps of nearly the same size have the same shape. They come
 * after the decoding rows of a step that only decodes, and after the sampled rows; they hold finite
 * numbers, write nothing to the cache, and nobody sees what is computed from them.
 */
public interface StepPlan extends AutoCloseable {
  /** Number of rows of the step's activations: its tokens, and rows that were added. */
  int rows();

  /** How many of the rows, from the first on, decode (absorbed); the others prefill (expanded). */
  int decodeRows();

  /**
   * Number of rows that a token is sampled from, in the order of the segments and of their samples,
   * and rows that were added.
   */
  int sampledRows();

  /** Gives the memory back. The step need not be done, but its tokens can no longer be had. */
  @Override
  void close();
}
