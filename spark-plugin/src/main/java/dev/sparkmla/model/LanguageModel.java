package dev.sparkmla.model;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.policy.Constraint;
import java.util.List;
import java.util.Optional;

/**
 * A loaded model with its paged cache, as the engine sees it. Not thread-safe: one thread steps it.
 */
public interface LanguageModel extends AutoCloseable {
  /** The model's configuration. */
  ModelConfig config();

  /**
   * Number of blocks in the cache, numbered from 0; {@link ModelConfig#cacheShape} tells their
   * size.
   */
  int cacheBlocks();

  /** Whether {@link #submit} returns before the step is computed. */
  boolean runsAhead();

  /**
   * Begins one step, which writes its tokens' latents into the cache. Steps are computed in the
   * order they were submitted; a step may be submitted while the one before it is pending, not
   * while two are. When this throws, the step was not taken, and may be submitted again.
   *
   * @param segments at least one, those that decode before those that prefill; a segment may go on
   *     with a token that the step submitted before chooses
   * @throws dev.sparkmla.compute.ComputeException when the step cannot be computed; the pending one
   *     is not affected
   */
  PendingStep submit(List<Segment> segments);

  /**
   * Takes in what rows can be constrained by, as {@link
   * dev.sparkmla.compute.ComputeBackend#constrain} does. Its owner closes it before the model is
   * closed.
   *
   * @return empty when there is no room for it until another one is closed
   */
  Optional<ConstraintTable> constrain(Constraint constraint);

  /** Frees the weights and the cache, and forgets the steps that are pending. */
  @Override
  void close();
}
