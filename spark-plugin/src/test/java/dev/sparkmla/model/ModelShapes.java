package dev.sparkmla.model;

import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.ModelConfig.Experts;
import dev.sparkmla.model.ModelConfig.Rope;
import dev.sparkmla.model.ModelConfig.Scales;
import dev.sparkmla.policy.RouterPolicy;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The sizes of published models, for models with {@link RandomParameters}. From their config.json.
 */
public enum ModelShapes {
  /** deepseek-ai/DeepSeek-V2-Lite: 15.7 billion parameters. */
  DEEPSEEK_V2_LITE(
      new ModelConfig(
          Architecture.DeepseekV2ForCausalLM,
          102_400,
          2048,
          27,
          16,
          OptionalInt.empty(),
          CacheShape.of(512, 64),
          128,
          128,
          false,
          10_944,
          1e-6f,
          1e-6f,
          false,
          163_840,
          new Rope(
              10_000,
              true,
              new RopeScaling.Yarn(
                  40, 4096, 32, 1, true, 1, Math.pow(0.0707 * Math.log(40) + 1, 2))),
          Optional.empty(),
          Scales.NONE,
          Optional.of(
              new Experts(
                  new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, 64, 6, 1, 1, false, 1),
                  2,
                  1408,
                  1)),
          GenerationDefaults.greedy(Set.of()))),

  /** moonshotai/Moonlight-16B-A3B: 16 billion parameters. */
  MOONLIGHT_16B_A3B(
      new ModelConfig(
          Architecture.DeepseekV3ForCausalLM,
          163_840,
          2048,
          27,
          16,
          OptionalInt.empty(),
          CacheShape.of(512, 64),
          128,
          128,
          false,
          11_264,
          1e-5f,
          1e-6f,
          false,
          8192,
          new Rope(50_000, true, new RopeScaling.None()),
          Optional.empty(),
          Scales.NONE,
          Optional.of(
              new Experts(
                  new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, 64, 6, 1, 1, true, 2.446f),
                  2,
                  1408,
                  1)),
          GenerationDefaults.greedy(Set.of()))),

  /**
   * deepseek-ai/DeepSeek-V3: its 3 dense layers and 3 of its 58 sparse ones, 40 billion parameters.
   */
  DEEPSEEK_V3_OF_6_LAYERS(
      new ModelConfig(
          Architecture.DeepseekV3ForCausalLM,
          129_280,
          7168,
          6,
          128,
          OptionalInt.of(1536),
          CacheShape.of(512, 64),
          128,
          128,
          false,
          18_432,
          1e-6f,
          1e-6f,
          false,
          163_840,
          new Rope(
              10_000,
              true,
              new RopeScaling.Yarn(40, 4096, 32, 1, true, 1, Math.pow(0.1 * Math.log(40) + 1, 2))),
          Optional.empty(),
          Scales.NONE,
          Optional.of(
              new Experts(
                  new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, 256, 8, 8, 4, true, 2.5f),
                  1,
                  2048,
                  3)),
          GenerationDefaults.greedy(Set.of()))),

  /** zai-org/GLM-4.7-Flash: 30 billion parameters. */
  GLM_4_7_FLASH(
      new ModelConfig(
          Architecture.Glm4MoeLiteForCausalLM,
          154_880,
          2048,
          47,
          20,
          OptionalInt.of(768),
          CacheShape.of(512, 64),
          192,
          256,
          false,
          10_240,
          1e-5f,
          1e-6f,
          false,
          202_752,
          new Rope(1e6, true, new RopeScaling.None()),
          Optional.empty(),
          Scales.NONE,
          Optional.of(
              new Experts(
                  new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, 64, 4, 1, 1, true, 1.8f),
                  1,
                  1536,
                  1)),
          GenerationDefaults.greedy(Set.of()))),

  /** tencent/Youtu-LLM-2B: 2 billion parameters. */
  YOUTU_LLM_2B(
      new ModelConfig(
          Architecture.YoutuForCausalLM,
          128_256,
          2048,
          32,
          16,
          OptionalInt.of(1536),
          CacheShape.of(512, 64),
          128,
          128,
          false,
          6144,
          1e-6f,
          1e-6f,
          true,
          131_072,
          new Rope(1.6e6, true, new RopeScaling.None()),
          Optional.empty(),
          Scales.NONE,
          Optional.empty(),
          GenerationDefaults.greedy(Set.of())));

  private final ModelConfig config;

  ModelShapes(ModelConfig config) {
    this.config = config;
  }

  /** The sizes. */
  public ModelConfig config() {
    return config;
  }

  /** The sizes, but for the number of layers and the context window. */
  public ModelConfig config(int layers, int contextWindow) {
    return new ModelConfig(
        config.architecture(),
        config.vocabularySize(),
        config.hiddenSize(),
        layers,
        config.heads(),
        config.queryRank(),
        config.cacheShape(),
        config.nopeSize(),
        config.valueSize(),
        config.attentionBias(),
        config.intermediateSize(),
        config.normEpsilon(),
        config.latentNormEpsilon(),
        config.tiedEmbedding(),
        contextWindow,
        config.rope(),
        config.queryGrowth(),
        config.scales(),
        config.experts(),
        config.generation());
  }
}
