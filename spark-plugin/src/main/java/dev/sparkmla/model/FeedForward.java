package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedWeights;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.policy.RouterPolicy;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * The feed-forward part of one layer: a gated MLP for all tokens, a mixture of experts, or their
 * sum (DeepSeekMoE, arXiv:2401.06066).
 *
 * @param norm the norm before it
 * @param common what every token passes: a dense layer's, or the shared experts'
 * @param mixture the routed experts
 */
record FeedForward(Norm norm, Optional<GatedWeights> common, Optional<Mixture> mixture) {

  /** Routed experts, and how they are chosen. */
  record Mixture(
      Weight router, Optional<WeightVector> bias, RouterPolicy policy, ExpertWeights experts) {
    private Routing route(Activation input, StepPlan plan, ComputeBackend backend) {
      return backend.route(input, router, bias, policy, experts, plan);
    }
  }

  /**
   * Adds the layer's feed-forward part to the residual stream.
   *
   * @param next gets the stream normed for the next layer, if there is one
   */
  void addTo(Activation hidden, StepPlan plan, ComputeBackend backend, Optional<NormedRows> next) {
    try (Activation input = backend.allocate(hidden.rows(), hidden.columns(), inputs())) {
      norm.apply(hidden, input, backend);
      if (mixture.isPresent()) {
        addMixture(mixture.get(), input, plan, backend, hidden, next);
      } else {
        addCommon(input, backend, hidden);
        next.ifPresent(rows -> rows.of(hidden, backend));
      }
    }
  }

  /** Experts are chosen first: a backend may do it while it computes the shared ones. */
  private void addMixture(
      Mixture experts,
      Activation input,
      StepPlan plan,
      ComputeBackend backend,
      Activation hidden,
      Optional<NormedRows> next) {
    try (Routing routing = experts.route(input, plan, backend)) {
      addCommon(input, backend, hidden);
      next.ifPresentOrElse(
          rows -> rows.ofExperts(routing, hidden, backend), () -> backend.experts(routing, hidden));
    }
  }

  private void addCommon(Activation input, ComputeBackend backend, Activation hidden) {
    common.ifPresent(weights -> addGated(input, weights, backend, hidden));
  }

  /** How the parts read the normed rows. */
  private Set<Precision> inputs() {
    Set<Precision> inputs = EnumSet.noneOf(Precision.class);
    common.ifPresent(weights -> inputs.addAll(weights.gateUp().inputs()));
    mixture.ifPresent(experts -> inputs.add(Precision.BFLOAT16));
    return inputs;
  }

  private static void addGated(
      Activation input, GatedWeights weights, ComputeBackend backend, Activation hidden) {
    try (Activation gateUp =
            backend.allocate(input.rows(), weights.gateUp().rows(), Precision.BFLOAT16);
        Activation gated =
            backend.allocate(input.rows(), weights.down().columns(), weights.down().inputs())) {
      backend.linear(input, weights.gateUp(), Optional.empty(), gateUp);
      backend.gatedActivation(gateUp, gated);
      backend.linearAdd(gated, weights.down(), Optional.empty(), hidden);
    }
  }
}
