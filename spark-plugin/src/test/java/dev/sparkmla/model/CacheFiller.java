package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Fills a model's cache with random latents, so that long contexts can be timed at once. */
public final class CacheFiller {
  private static final int VOCABULARY = 4096;
  private static final int BLOCKS_AT_ONCE = 128;

  private CacheFiller() {}

  /** Writes the first {@code blocks} blocks of every layer; no step may be pending. */
  public static void fill(MlaTransformer model, int blocks, long seed) {
    ComputeBackend backend = model.backend();
    SplittableRandom random = new SplittableRandom(seed);
    try (Weight table =
            backend.upload(VOCABULARY, LatentCache.WIDTH, drawn(VOCABULARY, 0, 1, seed));
        Weight gain = backend.upload(1, LatentCache.WIDTH, drawn(1, 1, 0, seed));
        Weight latentGain = backend.upload(1, LatentCache.LATENT, constant())) {
      for (int first = 0; first < blocks; first += BLOCKS_AT_ONCE) {
        int count = Math.min(BLOCKS_AT_ONCE, blocks - first);
        int[] tokens =
            random.ints((long) count * LatentCache.BLOCK_TOKENS, 0, VOCABULARY).toArray();
        Segment segment =
            new Segment(
                tokens,
                0,
                IntStream.range(first, first + count).toArray(),
                Optional.empty(),
                OptionalInt.empty());
        try (StepPlan plan = backend.plan(List.of(), List.of(segment));
            Activation embedded =
                backend.allocate(plan.rows(), LatentCache.WIDTH, Precision.FLOAT32);
            Activation latents =
                backend.allocate(plan.rows(), LatentCache.WIDTH, Precision.BFLOAT16)) {
          for (int layer = 0; layer < model.config().layers(); layer++) {
            backend.embed(table, plan, embedded);
            backend.normalize(embedded, gain, 1e-6f, latents);
            backend.writeCache(
                latents, latentGain, 1e-6f, model.rotation(), plan, model.cache(), layer);
          }
        }
      }
    }
  }

  private static List<WeightSource> drawn(long rows, float mean, float deviation, long seed) {
    return List.of(
        new WeightSource.Drawn("latents", rows * LatentCache.WIDTH, mean, deviation, seed));
  }

  private static List<WeightSource> constant() {
    return List.of(new WeightSource.Drawn("gain", LatentCache.LATENT, 1, 0, 0));
  }
}
