package dev.sparkmla.engine;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.Architecture;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.ModelConfig.Experts;
import dev.sparkmla.model.ModelConfig.Rope;
import dev.sparkmla.model.ModelConfig.Scales;
import dev.sparkmla.model.RandomParameters;
import dev.sparkmla.model.RopeScaling;
import dev.sparkmla.policy.RouterPolicy;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A model that is computed alone and together.
 *
 * @param name what a failed test calls it
 * @param config its sizes
 * @param checkpoint its parameters; empty when they are random
 * @param format of random projections
 */
record InvarianceModel(
    String name, ModelConfig config, Optional<GoldenCheckpoint> checkpoint, WeightFormat format) {
  private static final int VOCABULARY = 320;
  private static final int CONTEXT = 1 << 16;

  /** A golden checkpoint: at most 2048 tokens. */
  static InvarianceModel golden(String name) {
    GoldenCheckpoint checkpoint =
        GoldenCheckpoint.all().stream()
            .filter(one -> one.toString().equals(name))
            .findFirst()
            .orElseThrow();
    return new InvarianceModel(
        name,
        ModelConfig.read(checkpoint.folder()),
        Optional.of(checkpoint),
        WeightFormat.BFLOAT16);
  }

  /** A latent of 512 + 64; queries without a latent, softmax router, yarn. */
  static InvarianceModel v2Lite(int hidden, int heads, int layers) {
    return random(
        "v2-lite",
        Architecture.DeepseekV2ForCausalLM,
        new Sizes(hidden, heads, layers, OptionalInt.empty(), CacheShape.of(512, 64), 128, 128),
        new Rope(1e4, true, new RopeScaling.Yarn(40, 4096, 32, 1, true, 1, 1.6)),
        Optional.of(
            new Experts(
                new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, 16, 6, 1, 1, false, 1),
                2,
                hidden / 2,
                1)));
  }

  /** A latent of 512 + 64; queries through a latent, sigmoid router of groups. */
  static InvarianceModel v3(int hidden, int heads, int layers) {
    return random(
        "v3",
        Architecture.DeepseekV3ForCausalLM,
        new Sizes(
            hidden, heads, layers, OptionalInt.of(hidden / 2), CacheShape.of(512, 64), 128, 128),
        new Rope(1e4, true, new RopeScaling.None()),
        Optional.of(
            new Experts(
                new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, 16, 4, 4, 2, true, 2.5f),
                1,
                hidden / 2,
                1)));
  }

  /** A latent of 256 and a key of {@code rope}; dense. */
  static InvarianceModel narrow(int hidden, int heads, int layers, int rope, int nope, int value) {
    return random(
        "narrow " + rope,
        Architecture.YoutuForCausalLM,
        new Sizes(
            hidden,
            heads,
            layers,
            OptionalInt.of(hidden / 2),
            CacheShape.of(256, rope),
            nope,
            value),
        new Rope(1e6, false, new RopeScaling.None()),
        Optional.empty());
  }

  private record Sizes(
      int hidden,
      int heads,
      int layers,
      OptionalInt queryRank,
      CacheShape cache,
      int nope,
      int value) {}

  private static InvarianceModel random(
      String name, Architecture architecture, Sizes sizes, Rope rope, Optional<Experts> experts) {
    return new InvarianceModel(
        name,
        new ModelConfig(
            architecture,
            VOCABULARY,
            sizes.hidden(),
            sizes.layers(),
            sizes.heads(),
            sizes.queryRank(),
            sizes.cache(),
            sizes.nope(),
            sizes.value(),
            false,
            2 * sizes.hidden(),
            1e-6f,
            1e-6f,
            false,
            CONTEXT,
            rope,
            Optional.empty(),
            Scales.NONE,
            experts,
            GenerationDefaults.greedy(Set.of())),
        Optional.empty(),
        WeightFormat.BFLOAT16);
  }

  /** The same with projections in another format. */
  InvarianceModel in(WeightFormat other) {
    return new InvarianceModel(name + " " + other, config, checkpoint, other);
  }

  MlaTransformer make(ComputeBackend backend, CacheSize size) {
    return checkpoint
        .map(golden -> golden.load(backend, size))
        .orElseGet(
            () -> MlaTransformer.load(config, new RandomParameters(1, format), backend, size));
  }

  @Override
  public String toString() {
    return name;
  }
}
