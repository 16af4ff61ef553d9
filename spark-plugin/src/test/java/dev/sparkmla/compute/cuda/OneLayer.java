package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * A model of one layer with random weights: attention, a mixture of experts and sampling. One of
 * its tokens is embedded as NaN.
 */
final class OneLayer implements AutoCloseable {
  static final int VOCABULARY = 328;

  /** The token whose embedding is NaN. It has no logit, so that it is never sampled. */
  static final int NAN_TOKEN = VOCABULARY - 1;

  private static final int LOGITS = 320;
  private static final int HIDDEN = 64;
  private static final int WIDTH = 40;
  private static final int EXPERTS = 8;
  private static final float EPSILON = 1e-6f;
  private static final CacheShape CACHE = CacheShape.of(512, 64);
  private static final AttentionShape SHAPE =
      new AttentionShape(2, 128, 128, (float) Math.pow(192, -0.5), Optional.empty(), CACHE);
  private static final RouterPolicy POLICY =
      new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, EXPERTS, 3, 1, 1, false, 1);

  private final Resources owned = new Resources();
  private final ComputeBackend backend;
  private final Weight table;
  private final WeightVector gain;
  private final Weight down;
  private final Weight output;
  private final Weight router;
  private final Weight head;
  private final ExpertWeights experts;
  private final LatentAttention attention;
  private final LatentCache cache;

  OneLayer(ComputeBackend backend, int cacheBlocks) {
    this.backend = backend;
    table = owned.own(backend.uploadMatrix(embedding()));
    gain = vector(HIDDEN, 1);
    down = matrix(SHAPE.queryWidth() + CACHE.width(), HIDDEN, 2);
    WeightVector latentGain = vector(CACHE.latent(), 3);
    Weight keyValue = matrix(SHAPE.keyValueRows(), CACHE.latent(), 4);
    output = matrix(HIDDEN, SHAPE.valueWidth(), 5);
    router = matrix(EXPERTS, HIDDEN, 6);
    head = matrix(LOGITS, HIDDEN, 7);
    List<GatedSource> sources = new ArrayList<>();
    for (int i = 0; i < EXPERTS; i++) {
      sources.add(
          new GatedSource(
              random(WIDTH, HIDDEN, 10 + i),
              random(WIDTH, HIDDEN, 20 + i),
              random(HIDDEN, WIDTH, 30 + i)));
    }
    experts = owned.own(backend.uploadExperts(sources));
    double[] frequencies =
        IntStream.range(0, 32).mapToDouble(i -> Math.pow(10000, -i / 32.0)).toArray();
    Rotation rotation = owned.own(backend.rotation(frequencies, 1, true, 5000));
    attention = new LatentAttention(0, SHAPE, rotation, latentGain, EPSILON, keyValue);
    cache = owned.own(backend.allocateCache(CACHE, 1, cacheBlocks));
  }

  private static MatrixSource embedding() {
    ByteBuffer elements =
        ByteBuffer.allocate(VOCABULARY * HIDDEN * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    Random random = new Random(8);
    for (int i = 0; i < VOCABULARY * HIDDEN; i++) {
      float value = i / HIDDEN == NAN_TOKEN ? Float.NaN : (float) random.nextGaussian();
      elements.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
    }
    return MatrixSource.of(
        new Tensor(
            "embedding", DataType.BF16, List.of(VOCABULARY, HIDDEN), List.of(elements.flip())));
  }

  private static MatrixSource random(int rows, int columns, int seed) {
    return RandomTensors.matrix(
        "matrix " + seed, rows, columns, (float) (1 / Math.sqrt(columns)), seed);
  }

  private Weight matrix(int rows, int columns, int seed) {
    return owned.own(backend.uploadMatrix(random(rows, columns, seed)));
  }

  private WeightVector vector(int size, int seed) {
    return owned.own(RandomTensors.uploadVector(backend, size, 1, 0.3f, seed));
  }

  /** The operations of a step; {@code logits} sees the sampled rows' before they are sampled. */
  void compute(StepPlan plan, Consumer<Activation> logits) {
    try (Activation hidden = backend.allocate(plan.rows(), HIDDEN, Precision.FLOAT32)) {
      backend.writeTokens(plan, cache);
      backend.embed(table, 1, plan, hidden);
      attend(plan, hidden);
      addExperts(plan, hidden);
      if (plan.sampledRows() > 0) {
        sample(plan, hidden, logits);
      }
    }
  }

  private void attend(StepPlan plan, Activation hidden) {
    try (Activation input = backend.allocate(plan.rows(), HIDDEN, Precision.BFLOAT16);
        Activation both = backend.allocate(plan.rows(), down.rows(), Precision.BFLOAT16);
        Activation attended =
            backend.allocate(plan.rows(), SHAPE.valueWidth(), Precision.BFLOAT16)) {
      backend.normalize(hidden, gain, EPSILON, input);
      backend.linear(input, down, Optional.empty(), both);
      Activation key = both.columns(SHAPE.queryWidth(), CACHE.width());
      Activation query = both.columns(0, SHAPE.queryWidth());
      if (plan.decodeRows() > 0) {
        try (Activation absorbed =
                backend.allocate(plan.decodeRows(), SHAPE.absorbedWidth(), Precision.BFLOAT16);
            Activation latents =
                backend.allocate(plan.decodeRows(), SHAPE.latentWidth(), Precision.BFLOAT16)) {
          backend.writeCacheAndAbsorb(key, query, attention, plan, cache, absorbed);
          backend.decodeAttention(absorbed, attention, plan, cache, latents);
          backend.projectValues(latents, attention, plan, attended);
        }
      } else {
        backend.writeCache(key, attention, plan, cache);
      }
      if (plan.decodeRows() < plan.rows()) {
        backend.prefillAttention(query, attention, plan, cache, attended);
      }
      backend.linearAdd(attended, output, Optional.empty(), hidden);
    }
  }

  private void addExperts(StepPlan plan, Activation hidden) {
    try (Activation input = backend.allocate(plan.rows(), HIDDEN, Precision.BFLOAT16)) {
      backend.normalize(hidden, gain, EPSILON, input);
      try (Routing routing =
          backend.route(input, router, Optional.empty(), POLICY, experts, plan)) {
        backend.experts(routing, hidden);
      }
    }
  }

  private void sample(StepPlan plan, Activation hidden, Consumer<Activation> seen) {
    int rows = plan.sampledRows();
    try (Activation last = backend.allocate(rows, HIDDEN, Precision.FLOAT32);
        Activation input = backend.allocate(rows, HIDDEN, Precision.BFLOAT16);
        Activation logits = backend.allocate(rows, head.rows(), Precision.FLOAT32)) {
      backend.gatherSampled(hidden, plan, last);
      backend.normalize(last, gain, EPSILON, input);
      backend.linear(input, head, Optional.empty(), logits);
      seen.accept(logits);
      backend.sample(logits, plan, cache);
    }
  }

  @Override
  public void close() {
    owned.close();
  }
}
