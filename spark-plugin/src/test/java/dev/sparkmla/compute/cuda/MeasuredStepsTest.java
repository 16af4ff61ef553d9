package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.ModelShapes;
import dev.sparkmla.model.RandomParameters;
import dev.sparkmla.policy.RouterPolicy;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MeasuredStepsTest {
  /** The forward pass itself runs, over a backend that takes memory and computes nothing. */
  @ParameterizedTest(name = "{0}, {1} tokens, {2} sequences of {3}")
  @CsvSource({
    "DEEPSEEK_V2_LITE, 1, 1, 1",
    "DEEPSEEK_V2_LITE, 66, 65, 2",
    "DEEPSEEK_V2_LITE, 100, 100, 1",
    "DEEPSEEK_V2_LITE, 200, 100, 2",
    "DEEPSEEK_V2_LITE, 2048, 256, 163840",
    "MOONLIGHT_16B_A3B, 37, 9, 100",
    "MOONLIGHT_16B_A3B, 2048, 1, 300",
    "MOONLIGHT_16B_A3B, 8192, 64, 5000",
    "GLM_4_7_FLASH, 50000, 3, 40000",
    "GLM_4_7_FLASH, 3000, 1000, 3",
    "YOUTU_LLM_2B, 1000, 7, 70000",
    "YOUTU_LLM_2B, 300, 300, 300"
  })
  void noStepWithinTheLimitsMakesTheArenaGrow(
      ModelShapes shapes, int tokens, int sequences, int positions) {
    noStepMakesTheArenaGrow(
        shapes.config(2, positions), new StepLimits(tokens, sequences, positions));
  }

  /**
   * A step that only decodes is padded to a bucket, and experts take memory for every padded row.
   * In a model with many experts a token and few logits, no other step takes as much.
   */
  @ParameterizedTest
  @CsvSource({"66, 65", "18, 17", "260, 257"})
  void norDoesOneThatOnlyDecodesWhereExpertsNeedTheMost(int tokens, int sequences) {
    ModelConfig config = ModelShapes.DEEPSEEK_V2_LITE.config(2, 2);
    ModelConfig.Experts experts = config.experts().orElseThrow();
    noStepMakesTheArenaGrow(
        new ModelConfig(
            config.architecture(),
            64,
            config.hiddenSize(),
            config.layers(),
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
            config.contextWindow(),
            config.rope(),
            config.queryGrowth(),
            config.scales(),
            Optional.of(
                new ModelConfig.Experts(
                    new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, 64, 32, 1, 1, false, 1),
                    experts.shared(),
                    experts.intermediateSize(),
                    0)),
            config.generation()),
        new StepLimits(tokens, sequences, 2));
  }

  private static void noStepMakesTheArenaGrow(ModelConfig config, StepLimits limits) {
    noStepMakesTheArenaGrow(config, limits, WeightFormat.BFLOAT16);
    noStepMakesTheArenaGrow(config, limits, WeightFormat.FLOAT8_BLOCKS);
  }

  private static void noStepMakesTheArenaGrow(
      ModelConfig config, StepLimits limits, WeightFormat format) {
    try (DryBackend backend = new DryBackend();
        MlaTransformer model =
            MlaTransformer.load(
                config,
                new RandomParameters(1, format),
                backend,
                new CacheSize.MemoryFraction(0.1, limits.tokens(), limits.sequences()))) {
      assertThat(backend.arena.live()).isZero();
      long settled = backend.arena.bytes();
      for (long seed = 0; seed < 300; seed++) {
        List<Segment> step = new RandomSteps(seed, limits).next();
        model.submit(step).tokens();
        assertThat(backend.arena.bytes())
            .as("seed %d, a step of %s", seed, new PlanLayout(step).shape())
            .isEqualTo(settled);
      }
    }
  }
}
