package dev.sparkmla.model;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.GatedWeights;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model's parameters in a backend's memory, asked for by the names of the published models and
 * uploaded as the forward pass takes them: matrices that are multiplied by the same activations are
 * fused into one weight, and the experts of a layer into another.
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
    String text = config.architecture().tensorPrefix();
    embedding = matrix(text + "model.embed_tokens.weight", config.vocabularySize(), hidden);
    long reported = System.nanoTime();
    for (int layer = 0; layer < config.layers(); layer++) {
      String prefix = text + "model.layers." + layer + ".";
      layers.add(
          new Layer(
              attention(layer, shape, rotation, prefix),
              feedForward(prefix, config.isSparse(layer))));
      if (System.nanoTime() - reported > REPORT_NANOSECONDS) {
        LOGGER.info("Loaded {} of {} layers", layer + 1, config.layers());
        reported = System.nanoTime();
      }
    }
    norm =
        new Norm(
            upload(
                source.vector(text + "model.norm.weight", hidden).scaled(config.scales().logits())),
            config.scales().streamEpsilon(config.normEpsilon()));
    output =
        config.tiedEmbedding()
            ? embedding
            : linear(text + "lm_head.weight", config.vocabularySize(), hidden);
    source.refuseUnread(config);
  }

  private Weight matrix(String name, int rows, int columns) {
    return owned.own(backend.uploadMatrix(source.matrix(name, rows, columns)));
  }

  private Weight linear(String name, int rows, int columns) {
    return linear(source.matrix(name, rows, columns));
  }

  private Weight linear(MatrixSource... parts) {
    return owned.own(backend.uploadLinear(List.of(parts)));
  }

  private WeightVector vector(String name, int size) {
    return upload(source.vector(name, size));
  }

  private WeightVector upload(Tensor... parts) {
    return owned.own(backend.uploadVector(List.of(parts)));
  }

  private Norm norm(String name, int size, float epsilon) {
    return new Norm(vector(name, size), epsilon);
  }

  /** A norm over the residual stream. */
  private Norm streamNorm(String name) {
    return norm(name, config.hiddenSize(), config.scales().streamEpsilon(config.normEpsilon()));
  }

  private MlaAttention attention(
      int layer, AttentionShape shape, Rotation rotation, String prefix) {
    String self = prefix + "self_attn.";
    int hidden = config.hiddenSize();
    int latent = shape.cache().latent();
    return new MlaAttention(
        streamNorm(prefix + "input_layernorm.weight"),
        config.queryRank().isPresent()
            ? latentQueries(self, shape, config.queryRank().getAsInt())
            : directQueries(self, shape),
        new LatentAttention(
            layer,
            shape,
            rotation,
            vector(self + "kv_a_layernorm.weight", latent),
            config.latentNormEpsilon(),
            matrix(self + "kv_b_proj.weight", shape.keyValueRows(), latent)),
        linear(self + "o_proj.weight", hidden, shape.valueWidth()),
        config.attentionBias()
            ? Optional.of(vector(self + "o_proj.bias", hidden))
            : Optional.empty());
  }

  private MlaAttention.Queries directQueries(String self, AttentionShape shape) {
    int width = shape.queryWidth();
    return new MlaAttention.DirectQueries(
        downward(self + "q_proj.weight", width, shape, self),
        config.attentionBias()
            ? Optional.of(downwardBias(zeros(width), shape, self))
            : Optional.empty());
  }

  private MlaAttention.Queries latentQueries(String self, AttentionShape shape, int rank) {
    return new MlaAttention.LatentQueries(
        downward(self + "q_a_proj.weight", rank, shape, self),
        config.attentionBias()
            ? Optional.of(downwardBias(source.vector(self + "q_a_proj.bias", rank), shape, self))
            : Optional.empty(),
        norm(self + "q_a_layernorm.weight", rank, config.latentNormEpsilon()),
        linear(self + "q_b_proj.weight", shape.queryWidth(), rank));
  }

  /** The rows of a query projection, then those of {@code kv_a_proj_with_mqa}. */
  private Weight downward(String queries, int rows, AttentionShape shape, String self) {
    int hidden = config.hiddenSize();
    return linear(
        source.matrix(queries, rows, hidden),
        source.matrix(self + "kv_a_proj_with_mqa.weight", shape.cache().width(), hidden));
  }

  /** The bias of {@link #downward}'s GEMM. */
  private WeightVector downwardBias(Tensor queries, AttentionShape shape, String self) {
    return upload(queries, source.vector(self + "kv_a_proj_with_mqa.bias", shape.cache().width()));
  }

  /** The bias of a projection that has none, where it is fused with one that has. */
  private static Tensor zeros(int size) {
    return new Tensor(
        "no bias",
        DataType.BF16,
        List.of(size),
        List.of(ByteBuffer.allocate(size * DataType.BF16.bytes())));
  }

  private FeedForward feedForward(String prefix, boolean sparse) {
    Norm before = streamNorm(prefix + "post_attention_layernorm.weight");
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
    Optional<WeightVector> correction =
        router.method() == RouterPolicy.Method.SIGMOID_BIASED
            ? Optional.of(vector(prefix + "mlp.gate.e_score_correction_bias", router.experts()))
            : Optional.empty();
    return new FeedForward(
        before,
        shared,
        Optional.of(
            new FeedForward.Mixture(
                linear(prefix + "mlp.gate.weight", router.experts(), config.hiddenSize()),
                correction,
                router,
                routed(prefix + "mlp.experts.", experts))));
  }

  private ExpertWeights routed(String prefix, ModelConfig.Experts experts) {
    List<GatedSource> sources = new ArrayList<>();
    for (int expert = 0; expert < experts.router().experts(); expert++) {
      sources.add(gatedSource(prefix + expert + ".", experts.intermediateSize()));
    }
    return owned.own(backend.uploadExperts(sources));
  }

  private GatedSource gatedSource(String prefix, int width) {
    int hidden = config.hiddenSize();
    return new GatedSource(
        source.matrix(prefix + "gate_proj.weight", width, hidden),
        source.matrix(prefix + "up_proj.weight", width, hidden),
        source.matrix(prefix + "down_proj.weight", hidden, width));
  }

  private GatedWeights gated(String prefix, int width) {
    GatedSource parts = gatedSource(prefix, width);
    return new GatedWeights(linear(parts.gate(), parts.up()), linear(parts.down()));
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
