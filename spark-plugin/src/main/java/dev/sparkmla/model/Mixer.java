package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.StepPlan;

/**
 * The part of a layer that mixes tokens of a sequence. It knows its sizes and its weights from
 * construction; a layer needs to know no more of it than this.
 */
sealed interface Mixer permits MlaAttention {
  /**
   * Adds the mixed tokens to the residual stream, and writes what later tokens need of these into
   * the cache.
   *
   * @param hidden float32 {@code [plan.rows(), hidden]}: the residual stream
   */
  void addTo(Activation hidden, StepPlan plan, LatentCache cache, ComputeBackend backend);
}
