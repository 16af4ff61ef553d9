package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Multi-head latent attention of one layer (DeepSeek-V2, section 2.1).
 *
 * @param norm gain of the norm before it
 * @param queries how queries and latents are made
 * @param latentNorm gain of the latent's norm
 * @param keyValue {@code kv_b_proj}
 * @param output {@code o_proj}
 * @param outputBias its bias
 */
record Attention(
    Weight norm,
    Queries queries,
    Weight latentNorm,
    Weight keyValue,
    Weight output,
    Optional<Weight> outputBias) {

  /** How queries and latents are made: both by one product of the layer's input. */
  sealed interface Queries {
    /**
     * Computes the latents and then the queries of {@code in}'s rows, and hands each out as long as
     * it is there.
     *
     * @param latents takes the latents, {@code [n, 576]}
     * @param queries takes the queries, {@code [n, heads * (nope + 64)]}
     */
    void project(
        Activation in,
        float epsilon,
        ComputeBackend backend,
        Consumer<Activation> latents,
        Consumer<Activation> queries);
  }

  /** Without a latent: {@code q_proj} and {@code kv_a_proj_with_mqa}, stacked. */
  record DirectQueries(Weight weight, Optional<Weight> bias) implements Queries {
    @Override
    public void project(
        Activation in,
        float epsilon,
        ComputeBackend backend,
        Consumer<Activation> latents,
        Consumer<Activation> queries) {
      int width = weight.rows() - LatentCache.WIDTH;
      try (Activation both = backend.allocate(in.rows(), weight.rows(), Precision.BFLOAT16)) {
        backend.linear(in, weight, bias, both);
        latents.accept(both.columns(width, LatentCache.WIDTH));
        queries.accept(both.columns(0, width));
      }
    }
  }

  /**
   * Through a latent: {@code q_a_proj} and {@code kv_a_proj_with_mqa}, stacked; {@code
   * q_a_layernorm}, {@code q_b_proj}.
   */
  record LatentQueries(Weight down, Optional<Weight> bias, Weight norm, Weight up)
      implements Queries {
    @Override
    public void project(
        Activation in,
        float epsilon,
        ComputeBackend backend,
        Consumer<Activation> latents,
        Consumer<Activation> queries) {
      try (Activation query = backend.allocate(in.rows(), up.rows(), Precision.BFLOAT16)) {
        try (Activation both = backend.allocate(in.rows(), down.rows(), Precision.BFLOAT16);
            Activation latent = backend.allocate(in.rows(), up.columns(), Precision.BFLOAT16)) {
          backend.linear(in, down, bias, both);
          latents.accept(both.columns(up.columns(), LatentCache.WIDTH));
          backend.normalize(both.columns(0, up.columns()), norm, epsilon, latent);
          backend.linear(latent, up, Optional.empty(), query);
        }
        queries.accept(query);
      }
    }
  }

  /** Adds the layer's attention to the residual stream, and writes its tokens into the cache. */
  void addTo(Activation hidden, int layer, StepPlan plan, MlaTransformer model) {
    ComputeBackend backend = model.backend();
    ModelConfig config = model.config();
    try (Activation attended =
        backend.allocate(plan.rows(), config.heads() * config.valueSize(), Precision.BFLOAT16)) {
      try (Activation input =
          backend.allocate(plan.rows(), config.hiddenSize(), Precision.BFLOAT16)) {
        backend.normalize(hidden, norm, config.normEpsilon(), input);
        queries.project(
            input,
            config.latentNormEpsilon(),
            backend,
            latents ->
                backend.writeCache(
                    latents,
                    latentNorm,
                    config.latentNormEpsilon(),
                    model.rotation(),
                    plan,
                    model.cache(),
                    layer),
            query -> attend(query, layer, plan, model, attended));
      }
      backend.linearAdd(attended, output, outputBias, hidden);
    }
  }

  private void attend(
      Activation query, int layer, StepPlan plan, MlaTransformer model, Activation attended) {
    if (plan.decodeRows() > 0) {
      decode(query, layer, plan, model, attended);
    }
    if (plan.decodeRows() < plan.rows()) {
      model
          .backend()
          .prefillAttention(
              query,
              keyValue,
              model.config().heads(),
              model.config().nopeSize(),
              model.softmaxScale(),
              model.rotation(),
              plan,
              model.cache(),
              layer,
              attended);
    }
  }

  private void decode(
      Activation query, int layer, StepPlan plan, MlaTransformer model, Activation attended) {
    ComputeBackend backend = model.backend();
    int heads = model.config().heads();
    int nope = model.config().nopeSize();
    int rows = plan.decodeRows();
    try (Activation absorbed =
            backend.allocate(rows, heads * LatentCache.WIDTH, Precision.BFLOAT16);
        Activation latents =
            backend.allocate(rows, heads * LatentCache.LATENT, Precision.BFLOAT16)) {
      backend.absorbQueries(query, keyValue, heads, nope, model.rotation(), plan, absorbed);
      backend.decodeAttention(
          absorbed, heads, model.softmaxScale(), plan, model.cache(), layer, latents);
      backend.projectValues(latents, keyValue, heads, nope, plan, attended);
    }
  }
}
