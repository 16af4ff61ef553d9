package dev.sparkmla.model;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.GatedWeights;
import dev.sparkmla.compute.RoutingPolicy;
import dev.sparkmla.compute.Weight;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The checkpoint's tensors, uploaded under the names of the published models. */
final class Parameters {
  private final ModelConfig config;
  private final ComputeBackend backend;
  private final Weights weights;
  private final Resources owned;
  private final Weight embedding;
  private final Weight norm;
  private final Weight output;
  private final List<Layer> layers = new ArrayList<>();

  /** One decoder layer. */
  record Layer(Attention attention, FeedForward feedForward) {}

  /** Uploads everything; {@code owned} closes it. */
  Parameters(ModelConfig config, ComputeBackend backend, Weights weights, Resources owned) {
    this.config = config;
    this.backend = backend;
    this.weights = weights;
    this.owned = owned;
    int hidden = config.hiddenSize();
    embedding = matrix("model.embed_tokens.weight", config.vocabularySize(), hidden);
    for (int layer = 0; layer < config.layers(); layer++) {
      String prefix = "model.layers." + layer + ".";
      layers.add(new Layer(attention(prefix), feedForward(prefix, config.isSparse(layer))));
    }
    norm = vector("model.norm.weight", hidden);
    output =
        config.tiedEmbedding()
            ? embedding
            : matrix("lm_head.weight", config.vocabularySize(), hidden);
    weights.refuseUnread(config);
  }

  private Weight matrix(String name, int rows, int columns) {
    return upload(weights.require(name, rows, columns), rows, columns);
  }

  private Weight vector(String name, int size) {
    return upload(weights.require(name, size), 1, size);
  }

  private Optional<Weight> bias(String name, int size) {
    return config.attentionBias() ? Optional.of(vector(name, size)) : Optional.empty();
  }

  private Weight upload(Tensor tensor, int rows, int columns) {
    return owned.own(
        backend.upload(tensor.name(), tensor.type(), rows, columns, tensor.data().duplicate()));
  }

  private Attention attention(String prefix) {
    String self = prefix + "self_attn.";
    int hidden = config.hiddenSize();
    int queries = config.heads() * (config.nopeSize() + config.ropeSize());
    int latents = config.latentSize() + config.ropeSize();
    Attention.Queries projection;
    if (config.queryRank().isPresent()) {
      int rank = config.queryRank().getAsInt();
      projection =
          new Attention.LatentQueries(
              matrix(self + "q_a_proj.weight", rank, hidden),
              bias(self + "q_a_proj.bias", rank),
              vector(self + "q_a_layernorm.weight", rank),
              matrix(self + "q_b_proj.weight", queries, rank));
    } else {
      projection = new Attention.DirectQueries(matrix(self + "q_proj.weight", queries, hidden));
    }
    return new Attention(
        vector(prefix + "input_layernorm.weight", hidden),
        projection,
        matrix(self + "kv_a_proj_with_mqa.weight", latents, hidden),
        bias(self + "kv_a_proj_with_mqa.bias", latents),
        vector(self + "kv_a_layernorm.weight", config.latentSize()),
        matrix(
            self + "kv_b_proj.weight",
            config.heads() * (config.nopeSize() + config.valueSize()),
            config.latentSize()),
        matrix(self + "o_proj.weight", hidden, config.heads() * config.valueSize()),
        bias(self + "o_proj.bias", hidden));
  }

  private FeedForward feedForward(String prefix, boolean sparse) {
    Weight gain = vector(prefix + "post_attention_layernorm.weight", config.hiddenSize());
    if (!sparse) {
      return new FeedForward(
          gain,
          config.normEpsilon(),
          Optional.of(gated(prefix + "mlp.", config.intermediateSize())),
          Optional.empty());
    }
    ModelConfig.Experts experts = config.experts().orElseThrow();
    Optional<GatedWeights> shared =
        experts.shared() == 0
            ? Optional.empty()
            : Optional.of(
                gated(
                    prefix + "mlp.shared_experts.", experts.shared() * experts.intermediateSize()));
    List<GatedWeights> routed = new ArrayList<>();
    for (int expert = 0; expert < experts.routed(); expert++) {
      routed.add(gated(prefix + "mlp.experts." + expert + ".", experts.intermediateSize()));
    }
    ModelConfig.Router router = experts.router();
    Optional<Weight> correction =
        router.method() == ModelConfig.Router.Method.SIGMOID_BIASED
            ? Optional.of(vector(prefix + "mlp.gate.e_score_correction_bias", experts.routed()))
            : Optional.empty();
    return new FeedForward(
        gain,
        config.normEpsilon(),
        shared,
        Optional.of(
            new FeedForward.Mixture(
                matrix(prefix + "mlp.gate.weight", experts.routed(), config.hiddenSize()),
                correction,
                policy(experts),
                routed)));
  }

  private static RoutingPolicy policy(ModelConfig.Experts experts) {
    ModelConfig.Router router = experts.router();
    return new RoutingPolicy(
        switch (router.method()) {
          case SOFTMAX_GREEDY -> RoutingPolicy.Method.SOFTMAX_GREEDY;
          case SOFTMAX_GROUP_LIMITED -> RoutingPolicy.Method.SOFTMAX_GROUP_LIMITED;
          case SIGMOID_BIASED -> RoutingPolicy.Method.SIGMOID_BIASED;
        },
        experts.perToken(),
        router.groups(),
        router.groupsPerToken(),
        router.normalized(),
        router.scale());
  }

  private GatedWeights gated(String prefix, int width) {
    return new GatedWeights(
        matrix(prefix + "gate_proj.weight", width, config.hiddenSize()),
        matrix(prefix + "up_proj.weight", width, config.hiddenSize()),
        matrix(prefix + "down_proj.weight", config.hiddenSize(), width));
  }

  Weight embedding() {
    return embedding;
  }

  Weight norm() {
    return norm;
  }

  Weight output() {
    return output;
  }

  Layer layer(int layer) {
    return layers.get(layer);
  }
}
