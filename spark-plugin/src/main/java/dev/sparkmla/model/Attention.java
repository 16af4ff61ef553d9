package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import java.util.Optional;

/**
 * Multi-head latent attention of one layer (DeepSeek-V2, section 2.1).
 *
 * @param norm gain of the norm before it
 * @param queries how queries are made
 * @param latent {@code kv_a_proj_with_mqa}
 * @param latentBias its bias
 * @param latentNorm gain of the latent's norm
 * @param keyValue {@code kv_b_proj}
 * @param output {@code o_proj}
 * @param outputBias its bias
 */
record Attention(
    Weight norm,
    Queries queries,
    Weight latent,
    Optional<Weight> latentBias,
    Weight latentNorm,
    Weight keyValue,
    Weight output,
    Optional<Weight> outputBias) {

  /** How queries are made. */
  sealed interface Queries {
    /** Computes the queries of {@code in}'s rows. */
    void project(Activation in, float epsilon, ComputeBackend backend, Activation out);
  }

  /** Without a latent: {@code q_proj}. */
  record DirectQueries(Weight weight) implements Queries {
    @Override
    public void project(Activation in, float epsilon, ComputeBackend backend, Activation out) {
      backend.linear(in, weight, Optional.empty(), out);
    }
  }

  /** Through a latent: {@code q_a_proj}, {@code q_a_layernorm}, {@code q_b_proj}. */
  record LatentQueries(Weight down, Optional<Weight> bias, Weight norm, Weight up)
      implements Queries {
    @Override
    public void project(Activation in, float epsilon, ComputeBackend backend, Activation out) {
      try (Activation latent = backend.allocate(in.rows(), down.rows())) {
        backend.linear(in, down, bias, latent);
        backend.normalize(latent, norm, epsilon, latent);
        backend.linear(latent, up, Optional.empty(), out);
      }
    }
  }

  /** Adds the layer's attention to the residual stream, and writes its tokens into the cache. */
  void addTo(Activation hidden, int layer, StepPlan plan, MlaTransformer model) {
    ComputeBackend backend = model.backend();
    ModelConfig config = model.config();
    int heads = config.heads();
    try (Activation query =
            backend.allocate(plan.rows(), heads * (config.nopeSize() + config.ropeSize()));
        Activation attended = backend.allocate(plan.rows(), heads * config.valueSize())) {
      try (Activation input = backend.allocate(plan.rows(), config.hiddenSize());
          Activation latents = backend.allocate(plan.rows(), LatentCache.WIDTH)) {
        backend.normalize(hidden, norm, config.normEpsilon(), input);
        backend.linear(input, latent, latentBias, latents);
        backend.writeCache(
            latents,
            latentNorm,
            config.latentNormEpsilon(),
            model.rotation(),
            plan,
            model.cache(),
            layer);
        queries.project(input, config.latentNormEpsilon(), backend, query);
      }
      backend.rotateQueries(query, heads, model.rotation(), plan);
      if (plan.decodeRows() > 0) {
        decode(query, layer, plan, model, attended);
      }
      if (plan.decodeRows() < plan.rows()) {
        backend.prefillAttention(
            query,
            keyValue,
            heads,
            config.nopeSize(),
            model.softmaxScale(),
            plan,
            model.cache(),
            layer,
            attended);
      }
      backend.linearAdd(attended, output, outputBias, hidden);
    }
  }

  private void decode(
      Activation query, int layer, StepPlan plan, MlaTransformer model, Activation attended) {
    ComputeBackend backend = model.backend();
    int heads = model.config().heads();
    int nope = model.config().nopeSize();
    try (Activation absorbed = backend.allocate(plan.decodeRows(), heads * LatentCache.WIDTH);
        Activation latents = backend.allocate(plan.decodeRows(), heads * LatentCache.LATENT)) {
      backend.absorbQueries(query, keyValue, heads, nope, plan, absorbed);
      backend.decodeAttention(
          absorbed, heads, model.softmaxScale(), plan, model.cache(), layer, latents);
      backend.projectValues(latents, keyValue, heads, nope, plan, attended);
    }
  }
}
