package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.StepPlan;
import java.util.Set;

/**
 * The part of a layer that mixes tokens of a sequence. It knows its sizes and its weights from
 * construction; a layer needs to know no more of it than this.
 */
sealed interface Mixer permits MlaAttention {
  /** The norm of what it reads. */
  Norm norm();

  /** How it reads the normed rows. */
  Set<Precision> inputs();

  /**
   * Adds the mixed tokens to the residual stream, and writes what later tokens need of these into
   * the cache.
   *
   * @param input {@code [plan.rows(), hidden]} in {@link #inputs}: the normed residual stream
   * @param hidden float32 {@code [plan.rows(), hidden]}: the residual stream
   */
  void addTo(
      Activation hidden,
      Activation input,
      StepPlan plan,
      LatentCache cache,
      ComputeBackend backend);
}
