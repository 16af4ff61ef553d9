package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.kvcache.CacheShape;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Fills a model's cache with random latents, so that long contexts can be timed at once. */
public final class CacheFiller {
  private static final int VOCABULARY = 4096;
  private static final int BLOCKS_AT_ONCE = 128;

  private CacheFiller() {}

  /**
   * Writes the first {@code blocks} blocks of every layer; no step may be pending.
   *
   * @param backend the model's
   */
  public static void fill(MlaTransformer model, ComputeBackend backend, int blocks, long seed) {
    AttentionShape attentionShape = model.config().attentionShape();
    CacheShape shape = attentionShape.cache();
    SplittableRandom random = new SplittableRandom(seed);
    double[] frequencies = model.config().rope().inverseFrequencies(shape.rope());
    try (Weight table = RandomTensors.uploadMatrix(backend, VOCABULARY, shape.width(), 1, seed);
        WeightVector gain = RandomTensors.uploadVector(backend, shape.width(), 1, 0, seed);
        WeightVector latentGain = RandomTensors.uploadVector(backend, shape.latent(), 1, 0, seed);
        Weight keyValue =
            RandomTensors.uploadMatrix(
                backend, attentionShape.keyValueRows(), shape.latent(), 1, seed);
        Rotation rotation = backend.rotation(frequencies, 1, true, blocks * shape.page())) {
      for (int first = 0; first < blocks; first += BLOCKS_AT_ONCE) {
        int count = Math.min(BLOCKS_AT_ONCE, blocks - first);
        int[] tokens = random.ints((long) count * shape.page(), 0, VOCABULARY).toArray();
        Segment segment =
            Segments.chunk(tokens, 0, IntStream.range(first, first + count).toArray());
        try (StepPlan plan = backend.plan(List.of(segment));
            Activation embedded = backend.allocate(plan.rows(), shape.width(), Precision.FLOAT32);
            Activation latents = backend.allocate(plan.rows(), shape.width(), Precision.BFLOAT16)) {
          for (int layer = 0; layer < model.config().layers(); layer++) {
            backend.embed(table, 1, plan, embedded);
            backend.normalize(embedded, gain, 1e-6f, latents);
            LatentAttention attention =
                new LatentAttention(layer, attentionShape, rotation, latentGain, 1e-6f, keyValue);
            backend.writeCache(latents, attention, plan, model.cache());
          }
        }
      }
    }
  }
}
