package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Multi-head latent attention of one layer (DeepSeek-V2, arXiv:2405.04434, section 2.1).
 *
 * @param norm the norm before it
 * @param queries how queries and latents are made of the normed rows
 * @param attention of queries to latents
 * @param output {@code o_proj}
 * @param outputBias its bias
 */
record MlaAttention(
    Norm norm,
    Queries queries,
    LatentAttention attention,
    Weight output,
    Optional<WeightVector> outputBias)
    implements Mixer {

  /** How queries and latents are made: both by one GEMM over the layer's input. */
  sealed interface Queries {
    /** How the GEMM reads the layer's input. */
    Set<Precision> inputs();

    /**
     * Computes the latents and queries of {@code in}'s rows, and hands them out as long as they are
     * there.
     *
     * @param shape the attention's sizes
     * @param attention takes the latents, {@code [n, latent + rope]}, and the queries, {@code [n,
     *     heads * (nope + rope)]}
     */
    void project(
        Activation in,
        AttentionShape shape,
        ComputeBackend backend,
        BiConsumer<Activation, Activation> attention);
  }

  /** Without a query latent: {@code q_proj} and {@code kv_a_proj_with_mqa}, stacked. */
  record DirectQueries(Weight weight, Optional<WeightVector> bias) implements Queries {
    @Override
    public Set<Precision> inputs() {
      return weight.inputs();
    }

    @Override
    public void project(
        Activation in,
        AttentionShape shape,
        ComputeBackend backend,
        BiConsumer<Activation, Activation> attention) {
      try (Activation both = backend.allocate(in.rows(), weight.rows(), Precision.BFLOAT16)) {
        backend.linear(in, weight, bias, both);
        attention.accept(
            both.columns(shape.queryWidth(), shape.cache().width()),
            both.columns(0, shape.queryWidth()));
      }
    }
  }

  /**
   * Through a query latent: {@code q_a_proj} and {@code kv_a_proj_with_mqa}, stacked; {@code
   * q_a_layernorm}, {@code q_b_proj}.
   */
  record LatentQueries(Weight down, Optional<WeightVector> bias, Norm norm, Weight up)
      implements Queries {
    @Override
    public Set<Precision> inputs() {
      return down.inputs();
    }

    @Override
    public void project(
        Activation in,
        AttentionShape shape,
        ComputeBackend backend,
        BiConsumer<Activation, Activation> attention) {
      try (Activation both = backend.allocate(in.rows(), down.rows(), Precision.BFLOAT16);
          Activation query = backend.allocate(in.rows(), up.rows(), Precision.BFLOAT16)) {
        backend.linear(in, down, bias, both);
        try (Activation latent = backend.allocate(in.rows(), up.columns(), up.inputs())) {
          norm.apply(both.columns(0, up.columns()), latent, backend);
          backend.linear(latent, up, Optional.empty(), query);
        }
        attention.accept(both.columns(up.columns(), shape.cache().width()), query);
      }
    }
  }

  @Override
  public Set<Precision> inputs() {
    return queries.inputs();
  }

  @Override
  public void addTo(
      Activation hidden,
      Activation input,
      StepPlan plan,
      LatentCache cache,
      ComputeBackend backend) {
    try (Activation attended =
        backend.allocate(plan.rows(), attention.shape().valueWidth(), Precision.BFLOAT16)) {
      queries.project(
          input,
          attention.shape(),
          backend,
          (latents, query) -> attend(latents, query, plan, cache, backend, attended));
      backend.linearAdd(attended, output, outputBias, hidden);
    }
  }

  private void attend(
      Activation latents,
      Activation query,
      StepPlan plan,
      LatentCache cache,
      ComputeBackend backend,
      Activation attended) {
    if (plan.decodeRows() > 0) {
      decode(latents, query, plan, cache, backend, attended);
    } else {
      backend.writeCache(latents, attention, plan, cache);
    }
    if (plan.decodeRows() < plan.rows()) {
      backend.prefillAttention(query, attention, plan, cache, attended);
    }
  }

  private void decode(
      Activation latents,
      Activation query,
      StepPlan plan,
      LatentCache cache,
      ComputeBackend backend,
      Activation attended) {
    int rows = plan.decodeRows();
    AttentionShape shape = attention.shape();
    try (Activation absorbed = backend.allocate(rows, shape.absorbedWidth(), Precision.BFLOAT16);
        Activation summed = backend.allocate(rows, shape.latentWidth(), Precision.BFLOAT16)) {
      backend.writeCacheAndAbsorb(latents, query, attention, plan, cache, absorbed);
      backend.decodeAttention(absorbed, attention, plan, cache, summed);
      backend.projectValues(summed, attention, plan, attended);
    }
  }
}
