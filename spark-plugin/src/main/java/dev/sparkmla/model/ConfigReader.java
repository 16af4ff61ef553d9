package dev.sparkmla.model;

import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.Architecture.Router;
import dev.sparkmla.model.Architecture.Trait;
import dev.sparkmla.model.ModelConfig.Experts;
import dev.sparkmla.model.ModelConfig.Scales;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * From config.json to {@link ModelConfig}. Defaults and the meaning of every key are those of the
 * transformers implementation of the architecture (its version: docs/models.md); {@link
 * Architecture} has what differs between them.
 */
final class ConfigReader {
  private static final int LARGEST_SIZE = 1 << 24;
  private static final int LARGEST_LAYERS = 1 << 12;
  private static final float LATENT_NORM_EPSILON = 1e-6f;

  private final JsonFields fields;
  private final Architecture architecture;

  private ConfigReader(JsonFields fields, Architecture architecture) {
    this.fields = fields;
    this.architecture = architecture;
  }

  static ModelConfig read(Path folder) {
    JsonFields file = JsonFields.read(folder.resolve("config.json"));
    Architecture architecture = architecture(file);
    file.object("quantization_config").ifPresent(config -> Quantization.check(config, folder));
    JsonFields fields = architecture.has(Trait.NESTED) ? textModel(file) : file;
    return new ConfigReader(fields, architecture).read(GenerationDefaults.read(folder, fields));
  }

  private static Architecture architecture(JsonFields fields) {
    String[] names = fields.strings("architectures").orElse(new String[0]);
    if (names.length > 0) {
      for (Architecture candidate : Architecture.values()) {
        if (candidate.name().equals(names[0])) {
          return candidate;
        }
      }
    }
    throw fields.wrong(
        "architectures",
        Arrays.toString(names),
        "one of " + Arrays.toString(Architecture.values()));
  }

  private static JsonFields textModel(JsonFields file) {
    return file.object("text_config")
        .orElseThrow(() -> file.wrong("text_config", null, "an object, the text model's sizes"));
  }

  private ModelConfig read(GenerationDefaults generation) {
    refuseUnsupported();
    int layers = fields.integer("num_hidden_layers", 1, LARGEST_LAYERS);
    int heads = fields.integer("num_attention_heads", 1, 1 << 10);
    fixed(
        "qk_head_dim",
        size("qk_nope_head_dim") + ropeSize(),
        "the sum of qk_nope_head_dim and qk_rope_head_dim");
    fixed("num_key_value_heads", heads, "num_attention_heads; MLA expands keys for each head");
    RopeReader rope = ropeReader();
    return new ModelConfig(
        architecture,
        size("vocab_size"),
        size("hidden_size"),
        layers,
        heads,
        queryRank(),
        CacheShape.of(size("kv_lora_rank"), ropeSize()),
        size("qk_nope_head_dim"),
        valueSize(heads),
        fields.flag("attention_bias", false),
        size("intermediate_size"),
        (float) fields.number("rms_norm_eps", architecture.defaults().normEpsilon(), 0, 1),
        LATENT_NORM_EPSILON,
        fields.flag("tie_word_embeddings", architecture.has(Trait.TIED_EMBEDDING)),
        contextWindow(),
        rope.rope(),
        rope.queryGrowth(),
        scales(layers),
        experts(layers),
        generation);
  }

  private void refuseUnsupported() {
    String activation = fields.string("hidden_act", "silu");
    if (!activation.equals("silu")) {
      throw fields.wrong("hidden_act", activation, "silu");
    }
    if (fields.flag("mlp_bias", false)) {
      throw fields.wrong("mlp_bias", true, "false");
    }
  }

  private int size(String key) {
    return fields.integer(key, 1, LARGEST_SIZE);
  }

  /** Rotary embedding rotates pairs of elements. */
  private int ropeSize() {
    int size = size("qk_rope_head_dim");
    if (size % 2 != 0) {
      throw fields.wrong("qk_rope_head_dim", size, "an even number");
    }
    return size;
  }

  private int contextWindow() {
    return fields.integer("max_position_embeddings", 1, Integer.MAX_VALUE);
  }

  private int valueSize(int heads) {
    boolean hiddenShare = architecture.has(Trait.SCALED_STREAM) && !fields.has("v_head_dim");
    return hiddenShare ? Math.max(1, size("hidden_size") / heads) : size("v_head_dim");
  }

  private void fixed(String key, int expected, String why) {
    int found = fields.integer(key, expected, 1, LARGEST_SIZE);
    if (found != expected) {
      throw fields.wrong(key, found, expected + ", " + why);
    }
  }

  /** An explicit null means no query latent; an absent key means the architecture's default. */
  private OptionalInt queryRank() {
    if (!fields.contains("q_lora_rank")) {
      return OptionalInt.of(architecture.defaults().queryRank());
    }
    return fields.has("q_lora_rank") ? OptionalInt.of(size("q_lora_rank")) : OptionalInt.empty();
  }

  private RopeReader ropeReader() {
    int size = ropeSize();
    return new RopeReader(
        fields, architecture, size, size("qk_nope_head_dim") + size, contextWindow());
  }

  private Scales scales(int layers) {
    if (!architecture.has(Trait.SCALED_STREAM)) {
      return Scales.NONE;
    }
    int hidden = size("hidden_size");
    return new Scales(
        (float) positive("scale_emb", 12, 1),
        (float) (positive("scale_depth", 1.4, Math.sqrt(layers)) / Math.sqrt(layers)),
        (float) (positive("dim_model_base", 256, hidden) / hidden));
  }

  /** A factor above 0, with one value where its key is absent and another where it is null. */
  private double positive(String key, double absent, double whereNull) {
    if (!fields.contains(key)) {
      return absent;
    }
    return fields.number(key, whereNull, 1e-6, 1e6);
  }

  private Optional<Experts> experts(int layers) {
    if (architecture.router() == Router.NONE) {
      return Optional.empty();
    }
    int firstDense = firstDenseLayers(layers);
    if (!fields.has("n_routed_experts") || firstDense >= layers) {
      return Optional.empty();
    }
    fixed("moe_layer_freq", 1, "sparse layers follow each other");
    int routed = fields.integer("n_routed_experts", 1, 1 << 16);
    int perToken = fields.integer("num_experts_per_tok", 1, routed);
    return Optional.of(
        new Experts(
            router(routed, perToken),
            fields.integer("n_shared_experts", 0, 0, 1 << 10),
            size("moe_intermediate_size"),
            firstDense));
  }

  private int firstDenseLayers(int layers) {
    Optional<String[]> types =
        architecture.has(Trait.LAYER_TYPES) ? fields.strings("mlp_layer_types") : Optional.empty();
    return types.isPresent()
        ? leadingDense(types.get(), layers)
        : fields.integer(
            "first_k_dense_replace", architecture.defaults().firstDenseLayers(), 0, LARGEST_LAYERS);
  }

  private int leadingDense(String[] names, int layers) {
    int dense = 0;
    while (dense < names.length && names[dense].equals("dense")) {
      dense++;
    }
    boolean sparseFromThere =
        Arrays.stream(names, dense, names.length).allMatch(name -> name.equals("sparse"));
    if (names.length != layers || !sparseFromThere) {
      throw fields.wrong(
          "mlp_layer_types",
          Arrays.toString(names),
          "one entry for each of " + layers + " layers, dense ones first, then sparse ones");
    }
    return dense;
  }

  private RouterPolicy router(int routed, int perToken) {
    float scale =
        (float)
            fields.number("routed_scaling_factor", architecture.defaults().routedScale(), 0, 1e6);
    boolean normalized =
        architecture.router() != Router.SOFTMAX && fields.flag("norm_topk_prob", true);
    boolean softmax = architecture.router() != Router.SIGMOID;
    expect("scoring_func", softmax ? "softmax" : "sigmoid");
    if (architecture.router() == Router.SOFTMAX_NORMALIZED) {
      expect("topk_method", "greedy");
      fixed("n_group", 1, "groups are not supported in " + architecture);
    }
    if (softmax && fields.string("topk_method", "greedy").equals("greedy")) {
      return new RouterPolicy(
          RouterPolicy.Method.SOFTMAX_GREEDY, routed, perToken, 1, 1, normalized, scale);
    }
    expect("topk_method", softmax ? "group_limited_greedy" : "noaux_tc");
    int groups = fields.integer("n_group", architecture.defaults().groups(), 1, routed);
    int groupsPerToken =
        fields.integer("topk_group", architecture.defaults().groupsPerToken(), 1, groups);
    int groupSize = routed / groups;
    int smallestGroup = softmax ? 1 : 2;
    if (routed % groups != 0 || groupSize < smallestGroup) {
      throw fields.wrong(
          "n_group",
          groups,
          "a divisor of n_routed_experts = "
              + routed
              + " that leaves groups of at least "
              + smallestGroup);
    }
    if (perToken > groupsPerToken * groupSize) {
      throw fields.wrong(
          "num_experts_per_tok",
          perToken,
          "at most topk_group * n_routed_experts / n_group = " + groupsPerToken * groupSize);
    }
    return new RouterPolicy(
        softmax ? RouterPolicy.Method.SOFTMAX_GROUP_LIMITED : RouterPolicy.Method.SIGMOID_BIASED,
        routed,
        perToken,
        groups,
        groupsPerToken,
        normalized,
        scale);
  }

  private void expect(String key, String expected) {
    String found = fields.string(key, expected);
    if (!found.equals(expected)) {
      throw fields.wrong(key, found, expected + " in " + architecture);
    }
  }
}
