package dev.sparkmla.model;

import dev.sparkmla.kvcache.CacheShape;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The supported architectures, whose names are those of config.json, and what sets each apart: the
 * one table that {@link ConfigReader} goes by and docs/models.md shows. What is missing in a
 * config.json has the default of the architecture's transformers implementation.
 */
public enum Architecture {
  /** DeepSeek-V2 and what is built like it. */
  DeepseekV2ForCausalLM(
      Router.SOFTMAX,
      new Defaults(1536, 1e-6, 0, 1, 1, 1),
      EnumSet.of(Trait.ROPE_INTERLEAVED),
      List.of(
          new Published(
              "DeepSeek-V2, V2.5, Coder-V2 and their Lite forms",
              Sizes.DEEPSEEK,
              "tokenizer.json")),
      List.of("deepseek-v2-greedy", "deepseek-v2-group-limited")),

  /** DeepSeek-V3 and what is built like it, whatever its {@code model_type}. */
  DeepseekV3ForCausalLM(
      Router.SIGMOID,
      new Defaults(1536, 1e-6, 3, 8, 4, 2.5),
      EnumSet.noneOf(Trait.class),
      List.of(
          new Published(
              "DeepSeek-V3, V3.1, R1, Kanana-2, JoyAI-LLM-Flash", Sizes.DEEPSEEK, "tokenizer.json"),
          new Published("Moonlight, Kimi-K2", Sizes.DEEPSEEK, "tiktoken.model")),
      List.of(
          "deepseek-v3",
          "moonlight",
          "deepseek-v3-yarn-scaling",
          "deepseek-v3-yarn-parameters",
          "deepseek-v3-rope-linear",
          "deepseek-v3-latent-256-rope-64",
          "deepseek-v3-latent-256-rope-32",
          "deepseek-v3-fp8-blocks",
          "deepseek-v3-fp8-channels")),

  /** GLM-4.7-Flash. */
  Glm4MoeLiteForCausalLM(
      Router.SIGMOID,
      new Defaults(768, 1e-5, 1, 1, 1, 1.8),
      EnumSet.of(Trait.LAYER_TYPES),
      List.of(new Published("GLM-4.7-Flash", Sizes.GLM, "tokenizer.json")),
      List.of("glm4-moe-lite", "glm4-moe-lite-two-heads")),

  /** Youtu-LLM. */
  YoutuForCausalLM(
      Router.NONE,
      new Defaults(1536, 1e-6, 0, 1, 1, 1),
      EnumSet.of(Trait.TIED_EMBEDDING),
      List.of(new Published("Youtu-LLM", Sizes.DEEPSEEK, "tokenizer.json")),
      List.of("youtu")),

  /** MiniCPM3. */
  MiniCPM3ForCausalLM(
      Router.NONE,
      new Defaults(768, 1e-5, 0, 1, 1, 1),
      EnumSet.of(Trait.TIED_EMBEDDING, Trait.ROPE_IN_HALVES, Trait.SCALED_STREAM),
      List.of(new Published("MiniCPM3-4B", Sizes.MINICPM, "tokenizer.json")),
      List.of("minicpm3")),

  /** Kimi-VL's text model, which is built like DeepSeek-V3. */
  KimiVLForConditionalGeneration(
      Router.SIGMOID,
      new Defaults(1536, 1e-6, 3, 8, 4, 2.5),
      EnumSet.of(Trait.NESTED),
      List.of(new Published("Kimi-VL-A3B, its text model", Sizes.DEEPSEEK, "tiktoken.model")),
      List.of("kimi-vl")),

  /** Mistral Small 4's text model. */
  Mistral3ForConditionalGeneration(
      Router.SOFTMAX_NORMALIZED,
      new Defaults(1024, 1e-6, 0, 1, 1, 1),
      EnumSet.of(Trait.NESTED, Trait.GROWING_QUERIES, Trait.PLAIN_SOFTMAX, Trait.ROPE_OF_HEAD),
      List.of(new Published("Mistral-Small-4, its text model", Sizes.MISTRAL, "tokenizer.json")),
      List.of("mistral-small-4"));

  /** What chooses the experts of a layer. */
  enum Router {
    /** There are none: every layer is dense. */
    NONE,
    /** Softmax, greedy or group-limited, never normalized. */
    SOFTMAX,
    /** Softmax over one group, greedy, normalized unless {@code norm_topk_prob} is false. */
    SOFTMAX_NORMALIZED,
    /** Sigmoid with a correction bias. */
    SIGMOID
  }

  /** What only some architectures have. */
  enum Trait {
    /** Pairs of the rope are always neighbours, whatever {@code rope_interleave} says. */
    ROPE_INTERLEAVED,
    /** Pairs of the rope are always an element of each half. */
    ROPE_IN_HALVES,
    /** The output projection is the embedding unless {@code tie_word_embeddings} is false. */
    TIED_EMBEDDING,
    /** {@code mlp_layer_types} says which layers are dense. */
    LAYER_TYPES,
    /** Has {@code scale_emb}, {@code scale_depth} and {@code dim_model_base}. */
    SCALED_STREAM,
    /** Queries grow with their position, by {@code llama_4_scaling_beta}. */
    GROWING_QUERIES,
    /** Yarn's temperature leaves the softmax alone, whatever {@code mscale_all_dim} says. */
    PLAIN_SOFTMAX,
    /** {@code partial_rotary_factor} is the rope's share of a head. */
    ROPE_OF_HEAD,
    /** A part of a larger model: the keys of {@code text_config}, tensors with a prefix. */
    NESTED
  }

  /**
   * What a missing key means.
   *
   * @param queryRank {@code q_lora_rank}
   * @param normEpsilon {@code rms_norm_eps}
   * @param firstDenseLayers {@code first_k_dense_replace}
   * @param groups {@code n_group}
   * @param groupsPerToken {@code topk_group}
   * @param routedScale {@code routed_scaling_factor}
   */
  record Defaults(
      int queryRank,
      double normEpsilon,
      int firstDenseLayers,
      int groups,
      int groupsPerToken,
      double routedScale) {}

  /**
   * The attention's sizes of a published model.
   *
   * @param cache latent and rope key
   * @param nope elements of a head's query without position
   * @param value elements of a head's value
   */
  public record Sizes(CacheShape cache, int nope, int value) {
    static final Sizes DEEPSEEK = new Sizes(CacheShape.of(512, 64), 128, 128);
    static final Sizes GLM = new Sizes(CacheShape.of(512, 64), 192, 256);
    static final Sizes MISTRAL = new Sizes(CacheShape.of(256, 64), 64, 128);
    static final Sizes MINICPM = new Sizes(CacheShape.of(256, 32), 64, 64);
  }

  /**
   * Published models.
   *
   * @param names what they are called
   * @param sizes of their attention
   * @param tokenizer the file that holds their tokenizer
   */
  public record Published(String names, Sizes sizes, String tokenizer) {}

  private static final String NESTED_PREFIX = "language_model.";
  private static final List<String> VISION = List.of("vision_tower.", "multi_modal_projector.");

  private final Router router;
  private final Defaults defaults;
  private final Set<Trait> traits;
  private final List<Published> published;
  private final List<String> goldenCheckpoints;

  Architecture(
      Router router,
      Defaults defaults,
      Set<Trait> traits,
      List<Published> published,
      List<String> goldenCheckpoints) {
    this.router = router;
    this.defaults = defaults;
    this.traits = traits;
    this.published = published;
    this.goldenCheckpoints = goldenCheckpoints;
  }

  Router router() {
    return router;
  }

  Defaults defaults() {
    return defaults;
  }

  boolean has(Trait trait) {
    return traits.contains(trait);
  }

  /** The published models of it, as far as they are known to load. */
  public List<Published> published() {
    return published;
  }

  /** The names of the golden checkpoints that it is checked against. */
  public List<String> goldenCheckpoints() {
    return goldenCheckpoints;
  }

  /** Whether queries may grow with their position. */
  public boolean queriesGrow() {
    return has(Trait.GROWING_QUERIES);
  }

  /** What the names of the text model's tensors begin with; empty where the whole is one. */
  String tensorPrefix() {
    return has(Trait.NESTED) ? NESTED_PREFIX : "";
  }

  /** Whether a tensor belongs to a part beside the text model, which is left aside. */
  boolean besideText(String tensor) {
    return has(Trait.NESTED) && VISION.stream().anyMatch(tensor::startsWith);
  }
}
