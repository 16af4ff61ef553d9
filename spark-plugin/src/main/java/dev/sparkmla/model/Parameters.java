package dev.sparkmla.model;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ExpertSource;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedWeights;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightSource;
import dev.sparkmla.policy.RouterPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoint's tensors, asked for by the names of the published models and uploaded as the
 * forward pass takes them: what is multiplied by the same rows is one matrix, and so are the
 * experts.
 */
final class Parameters {
  private static final Logger LOGGER = LoggerFactory.getLogger(Parameters.class);

  /** How long loading goes on before it says how far it is. */
  private static final long REPORT_NANOSECONDS = 2_000_000_000L;

  private final ModelConfig config;
  private final ComputeBackend backend;
  private final ParameterSource source;
  private final Resources owned;
  private final Weight embedding;
  private final Norm norm;
  private final Weight output;
  private final List<Layer> layers = new ArrayList<>();

  /**
   * Uploads everything; {@code owned} closes it.
   *
   * @param shape of every layer's attention
   * @param rotation of every layer's queries and keys
   */
  Parameters(
      ModelConfig config,
      AttentionShape shape,
      Rotation rotation,
      ComputeBackend backend,
      ParameterSource source,
      Resources owned) {
    this.config = config;
    this.backend = backend;
    this.source = source;
    this.owned = owned;
    int hidden = config.hiddenSize();
    embedding = matrix("model.embed_tokens.weight", config.vocabularySize(), hidden);
    long reported = System.nanoTime();
    for (int layer = 0; layer < config.layers(); layer++) {
      String prefix = "model.layers." + layer + ".";
      layers.add(
          new Layer(
              attention(layer, shape, rotation, prefix),
              feedForward(prefix, config.isSparse(layer))));
      if (System.nanoTime() - reported > REPORT_NANOSECONDS) {
        LOGGER.info("Loaded {} of {} layers", layer + 1, config.layers());
        reported = System.nanoTime();
      }
    }
    norm = norm("model.norm.weight", hidden, config.normEpsilon());
    output =
        config.tiedEmbedding()
            ? embedding
            : matrix("lm_head.weight", config.vocabularySize(), hidden);
    source.refuseUnread(config);
  }

  private Weight matrix(String name, int rows, int columns) {
    return upload(rows, columns, source.tensor(name, rows, columns));
  }

  private Weight vector(String name, int size) {
    return upload(1, size, source.tensor(name, size));
  }

  private Norm norm(String name, int size, float epsilon) {
    return new Norm(vector(name, size), epsilon);
  }

  private Weight upload(int rows, int columns, WeightSource... parts) {
    return owned.own(backend.upload(rows, columns, List.of(parts)));
  }

  private MlaAttention attention(
      int layer, AttentionShape shape, Rotation rotation, String prefix) {
    String self = prefix + "self_attn.";
    int hidden = config.hiddenSize();
    return new MlaAttention(
        layer,
        shape,
        rotation,
        norm(prefix + "input_layernorm.weight", hidden, config.normEpsilon()),
        config.queryRank().isPresent()
            ? latentQueries(self, shape, config.queryRank().getAsInt())
            : directQueries(self, shape),
        norm(self + "kv_a_layernorm.weight", shape.cache().latent(), config.latentNormEpsilon()),
        matrix(self + "kv_b_proj.weight", shape.keyValueRows(), shape.cache().latent()),
        matrix(self + "o_proj.weight", hidden, shape.valueWidth()),
        config.attentionBias()
            ? Optional.of(vector(self + "o_proj.bias", hidden))
            : Optional.empty());
  }

  private MlaAttention.Queries directQueries(String self, AttentionShape shape) {
    int width = shape.queryWidth();
    return new MlaAttention.DirectQueries(
        downward(self + "q_proj.weight", width, shape, self),
        downwardBias(new WeightSource.Drawn("no bias", width, 0, 0, 0), shape, self));
  }

  private MlaAttention.Queries latentQueries(String self, AttentionShape shape, int rank) {
    return new MlaAttention.LatentQueries(
        downward(self + "q_a_proj.weight", rank, shape, self),
        config.attentionBias()
            ? downwardBias(source.tensor(self + "q_a_proj.bias", rank), shape, self)
            : Optional.empty(),
        norm(self + "q_a_layernorm.weight", rank, config.latentNormEpsilon()),
        matrix(self + "q_b_proj.weight", shape.queryWidth(), rank));
  }

  /** The rows of a query projection, then those of {@code kv_a_proj_with_mqa}. */
  private Weight downward(String queries, int rows, AttentionShape shape, String self) {
    int latents = shape.cache().width();
    int hidden = config.hiddenSize();
    return upload(
        rows + latents,
        hidden,
        source.tensor(queries, rows, hidden),
        source.tensor(self + "kv_a_proj_with_mqa.weight", latents, hidden));
  }

  /** The bias of {@link #downward}'s GEMM. */
  private Optional<Weight> downwardBias(WeightSource queries, AttentionShape shape, String self) {
    if (!config.attentionBias()) {
      return Optional.empty();
    }
    int latents = shape.cache().width();
    return Optional.of(
        upload(
            1,
            (int) queries.elements() + latents,
            queries,
            source.tensor(self + "kv_a_proj_with_mqa.bias", latents)));
  }

  private FeedForward feedForward(String prefix, boolean sparse) {
    Norm before =
        norm(prefix + "post_attention_layernorm.weight", config.hiddenSize(), config.normEpsilon());
    if (!sparse) {
      return new FeedForward(
          before, Optional.of(gated(prefix + "mlp.", config.intermediateSize())), Optional.empty());
    }
    ModelConfig.Experts experts = config.experts().orElseThrow();
    Optional<GatedWeights> shared =
        experts.shared() == 0
            ? Optional.empty()
            : Optional.of(
                gated(
                    prefix + "mlp.shared_experts.", experts.shared() * experts.intermediateSize()));
    RouterPolicy router = experts.router();
    Optional<Weight> correction =
        router.method() == RouterPolicy.Method.SIGMOID_BIASED
            ? Optional.of(vector(prefix + "mlp.gate.e_score_correction_bias", router.experts()))
            : Optional.empty();
    return new FeedForward(
        before,
        shared,
        Optional.of(
            new FeedForward.Mixture(
                matrix(prefix + "mlp.gate.weight", router.experts(), config.hiddenSize()),
                correction,
                router,
                routed(prefix + "mlp.experts.", experts))));
  }

  private ExpertWeights routed(String prefix, ModelConfig.Experts experts) {
    int width = experts.intermediateSize();
    List<ExpertSource> sources = new ArrayList<>();
    for (int expert = 0; expert < experts.router().experts(); expert++) {
      sources.add(gatedSource(prefix + expert + ".", width));
    }
    return owned.own(backend.uploadExperts(config.hiddenSize(), width, sources));
  }

  private ExpertSource gatedSource(String prefix, int width) {
    int hidden = config.hiddenSize();
    return new ExpertSource(
        source.tensor(prefix + "gate_proj.weight", width, hidden),
        source.tensor(prefix + "up_proj.weight", width, hidden),
        source.tensor(prefix + "down_proj.weight", hidden, width));
  }

  private GatedWeights gated(String prefix, int width) {
    int hidden = config.hiddenSize();
    ExpertSource parts = gatedSource(prefix, width);
    return new GatedWeights(
        upload(2 * width, hidden, parts.gate(), parts.up()), upload(hidden, width, parts.down()));
  }

  Weight embedding() {
    return embedding;
  }

  Norm norm() {
    return norm;
  }

  Weight output() {
    return output;
  }

  List<Layer> layers() {
    return layers;
  }
}
