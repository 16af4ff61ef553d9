package dev.sparkmla.model;

import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.ModelConfig.Architecture;
import dev.sparkmla.model.ModelConfig.Experts;
import dev.sparkmla.model.ModelConfig.Rope;
import dev.sparkmla.model.ModelConfig.Yarn;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * From config.json to {@link ModelConfig}. Defaults and the meaning of every key are those of the
 * transformers implementation of the architecture (its version: docs/models.md).
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
    JsonFields fields = JsonFields.read(folder.resolve("config.json"));
    return new ConfigReader(fields, architecture(fields))
        .read(GenerationDefaults.read(folder, fields));
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

  private ModelConfig read(GenerationDefaults generation) {
    refuseUnsupported();
    int layers = fields.integer("num_hidden_layers", 1, LARGEST_LAYERS);
    int heads = fields.integer("num_attention_heads", 1, 1 << 10);
    fixed(
        "qk_head_dim",
        size("qk_nope_head_dim") + ropeSize(),
        "the sum of qk_nope_head_dim and qk_rope_head_dim");
    fixed("num_key_value_heads", heads, "num_attention_heads; MLA expands keys for each head");
    return new ModelConfig(
        architecture,
        size("vocab_size"),
        size("hidden_size"),
        layers,
        heads,
        queryRank(),
        CacheShape.of(size("kv_lora_rank"), ropeSize()),
        size("qk_nope_head_dim"),
        size("v_head_dim"),
        fields.flag("attention_bias", false),
        size("intermediate_size"),
        (float)
            fields.number(
                "rms_norm_eps",
                architecture == Architecture.Glm4MoeLiteForCausalLM ? 1e-5 : 1e-6,
                0,
                1),
        LATENT_NORM_EPSILON,
        fields.flag("tie_word_embeddings", architecture == Architecture.YoutuForCausalLM),
        fields.integer("max_position_embeddings", 1, Integer.MAX_VALUE),
        rope(),
        architecture == Architecture.YoutuForCausalLM ? Optional.empty() : experts(layers),
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
    fields.object("quantization_config").ifPresent(Quantization::refuseUnsupported);
  }

  private int size(String key) {
    return fields.integer(key, 1, LARGEST_SIZE);
  }

  /** Rotary embedding turns pairs of elements. */
  private int ropeSize() {
    int size = size("qk_rope_head_dim");
    if (size % 2 != 0) {
      throw fields.wrong("qk_rope_head_dim", size, "an even number");
    }
    return size;
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
      return OptionalInt.of(architecture == Architecture.Glm4MoeLiteForCausalLM ? 768 : 1536);
    }
    return fields.has("q_lora_rank") ? OptionalInt.of(size("q_lora_rank")) : OptionalInt.empty();
  }

  private Rope rope() {
    // The older spelling wins where both are given, as it does in transformers.
    JsonFields parameters =
        fields
            .object("rope_scaling")
            .filter(scaling -> scaling.keys().hasNext())
            .or(() -> fields.object("rope_parameters"))
            .orElse(fields);
    double base =
        parameters.number("rope_theta", fields.number("rope_theta", 10_000, 1, 1e12), 1, 1e12);
    double rotated =
        parameters.number(
            "partial_rotary_factor", fields.number("partial_rotary_factor", 1, 0, 1), 0, 1);
    if (rotated != 1) {
      throw parameters.wrong("partial_rotary_factor", rotated, "1");
    }
    boolean interleaved =
        architecture == Architecture.DeepseekV2ForCausalLM || fields.flag("rope_interleave", true);
    if (parameters == fields) {
      return new Rope(base, interleaved, Optional.empty());
    }
    String type = parameters.string("rope_type", parameters.string("type", "default"));
    return switch (type) {
      case "default" -> new Rope(base, interleaved, Optional.empty());
      case "yarn" -> new Rope(base, interleaved, Optional.of(yarn(parameters)));
      default -> throw parameters.wrong("rope_type", type, "default or yarn");
    };
  }

  private Yarn yarn(JsonFields parameters) {
    if (!parameters.has("factor")) {
      throw parameters.wrong("factor", null, "a number of at least 1");
    }
    double factor = parameters.number("factor", 1, 1, 1e6);
    String original = "original_max_position_embeddings";
    int context = fields.integer("max_position_embeddings", 1, Integer.MAX_VALUE);
    int originalContext =
        fields.has(original)
            ? fields.integer(original, 1, Integer.MAX_VALUE)
            : parameters.integer(original, context, 1, Integer.MAX_VALUE);
    double mscale = parameters.number("mscale", 0, 0, 1e3);
    double mscaleAllDim = parameters.number("mscale_all_dim", 0, 0, 1e3);
    double attentionFactor =
        mscale != 0 && mscaleAllDim != 0
            ? temperature(factor, mscale) / temperature(factor, mscaleAllDim)
            : temperature(factor, 1);
    double softmaxFactor = mscaleAllDim == 0 ? 1 : Math.pow(temperature(factor, mscaleAllDim), 2);
    return new Yarn(
        factor,
        originalContext,
        positiveOr("beta_fast", 32, parameters),
        positiveOr("beta_slow", 1, parameters),
        parameters.flag("truncate", true),
        parameters.number("attention_factor", attentionFactor, 0, 1e3),
        softmaxFactor);
  }

  private static double positiveOr(String key, double absentOrZero, JsonFields parameters) {
    double value = parameters.number(key, absentOrZero, 0, 1e6);
    return value == 0 ? absentOrZero : value;
  }

  /** YaRN's attention temperature, section 3.4 of the paper, with DeepSeek's coefficient. */
  private static double temperature(double factor, double coefficient) {
    return factor <= 1 ? 1 : 0.1 * coefficient * Math.log(factor) + 1;
  }

  private Optional<Experts> experts(int layers) {
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
    return switch (architecture) {
      case DeepseekV2ForCausalLM -> fields.integer("first_k_dense_replace", 0, 0, LARGEST_LAYERS);
      case DeepseekV3ForCausalLM -> fields.integer("first_k_dense_replace", 3, 0, LARGEST_LAYERS);
      case Glm4MoeLiteForCausalLM -> leadingDense(layers);
      case YoutuForCausalLM -> layers;
    };
  }

  private int leadingDense(int layers) {
    Optional<String[]> types = fields.strings("mlp_layer_types");
    if (types.isEmpty()) {
      return fields.integer("first_k_dense_replace", 1, 0, LARGEST_LAYERS);
    }
    String[] names = types.get();
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
    boolean softmax = architecture == Architecture.DeepseekV2ForCausalLM;
    expect("scoring_func", softmax ? "softmax" : "sigmoid");
    float scale = (float) fields.number("routed_scaling_factor", defaultScale(), 0, 1e6);
    if (softmax && fields.string("topk_method", "greedy").equals("greedy")) {
      return new RouterPolicy(
          RouterPolicy.Method.SOFTMAX_GREEDY, routed, perToken, 1, 1, false, scale);
    }
    expect("topk_method", softmax ? "group_limited_greedy" : "noaux_tc");
    boolean grouped = architecture == Architecture.DeepseekV3ForCausalLM;
    int groups = fields.integer("n_group", grouped ? 8 : 1, 1, routed);
    int groupsPerToken = fields.integer("topk_group", grouped ? 4 : 1, 1, groups);
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
        !softmax && fields.flag("norm_topk_prob", true),
        scale);
  }

  private double defaultScale() {
    return switch (architecture) {
      case DeepseekV2ForCausalLM, YoutuForCausalLM -> 1;
      case DeepseekV3ForCausalLM -> 2.5;
      case Glm4MoeLiteForCausalLM -> 1.8;
    };
  }

  private void expect(String key, String expected) {
    String found = fields.string(key, expected);
    if (!found.equals(expected)) {
      throw fields.wrong(key, found, expected + " in " + architecture);
    }
  }
}
