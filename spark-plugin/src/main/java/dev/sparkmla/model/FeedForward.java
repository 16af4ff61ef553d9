package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.GatedWeights;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.RoutingPolicy;
import dev.sparkmla.compute.Weight;
import java.util.List;
import java.util.Optional;

/**
 * The feed-forward part of one layer: a gated product for all tokens, a mixture of experts, or
 * their sum (DeepSeekMoE, arXiv:2401.06066).
 *
 * @param norm gain of the norm before it
 * @param epsilon epsilon of the norm
 * @param common what every token passes: a dense layer's, or the shared experts'
 * @param mixture the routed experts
 */
record FeedForward(
    Weight norm, float epsilon, Optional<GatedWeights> common, Optional<Mixture> mixture) {

  /** Routed experts, and how they are chosen. */
  record Mixture(
      Weight router, Optional<Weight> bias, RoutingPolicy policy, List<GatedWeights> experts) {
    private void addTo(Activation input, ComputeBackend backend, Activation hidden) {
      try (Activation logits = backend.allocate(input.rows(), router.rows())) {
        backend.linear(input, router, Optional.empty(), logits);
        try (Routing routing = backend.route(logits, bias, policy)) {
          backend.experts(input, routing, experts, hidden);
        }
      }
    }
  }

  /** Adds the layer's feed-forward part to the residual stream. */
  void addTo(Activation hidden, ComputeBackend backend) {
    try (Activation input = backend.allocate(hidden.rows(), hidden.columns())) {
      backend.normalize(hidden, norm, epsilon, input);
      common.ifPresent(weights -> addGated(input, weights, backend, hidden));
      mixture.ifPresent(experts -> experts.addTo(input, backend, hidden));
    }
  }

  private static void addGated(
      Activation input, GatedWeights weights, ComputeBackend backend, Activation hidden) {
    try (Activation gate = backend.allocate(input.rows(), weights.gate().rows());
        Activation up = backend.allocate(input.rows(), weights.up().rows())) {
      backend.linear(input, weights.gate(), Optional.empty(), gate);
      backend.linear(input, weights.up(), Optional.empty(), up);
      backend.gatedActivation(gate, up);
      backend.linearAdd(gate, weights.down(), Optional.empty(), hidden);
    }
  }
}
