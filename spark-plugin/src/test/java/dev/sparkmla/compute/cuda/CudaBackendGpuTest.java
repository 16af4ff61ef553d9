package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.RouterPolicy;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every operation against the CPU backend, on the same random weights and tokens. */
@Tag("gpu")
class CudaBackendGpuTest {
  private static final int VOCABULARY = 328;
  private static final float EPSILON = 1e-6f;

  /** Largest difference, in units of the largest value of the operation's result. */
  private static final double TOLERANCE = 3e-2;

  /**
   * One layer of odd sizes and everything around it.
   *
   * @param lengths tokens in the cache before the step, by decoding sequence
   * @param prompts tokens of each prefilling sequence, half of which the step before computed
   */
  private record Problem(
      int hidden,
      int heads,
      int nope,
      int value,
      boolean interleaved,
      RouterPolicy policy,
      int[] lengths,
      int[] prompts) {
    private static final int WIDTH = 40;

    private static Weight matrix(ComputeBackend backend, int rows, int columns, int seed) {
      return RandomTensors.uploadMatrix(
          backend, rows, columns, (float) (1 / Math.sqrt(columns)), seed);
    }

    private static WeightVector vector(ComputeBackend backend, int size, float mean, int seed) {
      return RandomTensors.uploadVector(backend, size, mean, 0.3f, seed);
    }

    /** By name of the operation, what it gave. */
    Map<String, float[][]> compute(ComputeBackend backend) {
      Map<String, float[][]> results = new LinkedHashMap<>();
      int blocks = 400;
      float scale = (float) Math.pow(nope + CACHE.rope(), -0.5);
      AttentionShape shape = new AttentionShape(heads, nope, value, scale, Optional.empty(), CACHE);
      int queries = shape.queryWidth();
      double[] frequencies =
          IntStream.range(0, 32).mapToDouble(i -> Math.pow(10000, -i / 32.0)).toArray();
      List<GatedSource> sources = new ArrayList<>();
      for (int i = 0; i < EXPERTS; i++) {
        sources.add(
            new GatedSource(
                RandomTensors.matrix("gate", WIDTH, hidden, 0.3f, 100 + 3 * i),
                RandomTensors.matrix("up", WIDTH, hidden, 0.3f, 101 + 3 * i),
                RandomTensors.matrix("down", hidden, WIDTH, 0.3f, 102 + 3 * i)));
      }
      try (Weight table = matrix(backend, VOCABULARY, hidden, 1);
          WeightVector gain = vector(backend, hidden, 1, 2);
          Weight down = matrix(backend, queries + CACHE.width(), hidden, 3);
          WeightVector bias = vector(backend, queries + CACHE.width(), 0.1f, 4);
          WeightVector latentGain = vector(backend, CACHE.latent(), 1, 5);
          Weight keyValue = matrix(backend, heads * (nope + value), CACHE.latent(), 6);
          Weight output = matrix(backend, hidden, heads * value, 7);
          Weight gateUp = matrix(backend, 2 * WIDTH, hidden, 8);
          Weight gated = matrix(backend, hidden, WIDTH, 9);
          Weight router = matrix(backend, EXPERTS, hidden, 10);
          WeightVector correction = vector(backend, EXPERTS, 0.1f, 11);
          ExpertWeights experts = backend.uploadExperts(sources);
          Rotation rotation = backend.rotation(frequencies, 1.1, interleaved, 5000);
          LatentCache cache = backend.allocateCache(CACHE, 2, blocks)) {
        LatentAttention attention =
            new LatentAttention(1, shape, rotation, latentGain, EPSILON, keyValue);
        Random random = new Random(12);
        List<Segment> before = new ArrayList<>();
        List<Segment> after = new ArrayList<>();
        int[] free = {0};
        for (int length : lengths) {
          int[] own = blocks(free, length + 1);
          if (length > 0) {
            before.add(Segments.prompt(ids(random, length), 0, own));
          }
          after.add(Segments.decode(ids(random, 1), length, own));
        }
        for (int prompt : prompts) {
          int[] own = blocks(free, prompt);
          int half = prompt / 2;
          if (half > 0) {
            before.add(Segments.prompt(ids(random, half), 0, own));
          }
          after.add(Segments.prompt(ids(random, prompt - half), half, own));
        }
        for (boolean filling : new boolean[] {true, false}) {
          if (filling && before.isEmpty()) {
            continue;
          }
          try (StepPlan plan = backend.plan(filling ? before : after);
              Activation stream = backend.allocate(plan.rows(), hidden, Precision.FLOAT32);
              Activation input = backend.allocate(plan.rows(), hidden, Precision.BFLOAT16);
              Activation both = backend.allocate(plan.rows(), down.rows(), Precision.BFLOAT16);
              Activation attended =
                  backend.allocate(plan.rows(), heads * value, Precision.BFLOAT16);
              Activation absorbed =
                  backend.allocate(
                      Math.max(1, plan.decodeRows()), heads * CACHE.width(), Precision.BFLOAT16);
              Activation latents =
                  backend.allocate(
                      Math.max(1, plan.decodeRows()), heads * CACHE.latent(), Precision.BFLOAT16);
              Activation gates = backend.allocate(plan.rows(), 2 * WIDTH, Precision.BFLOAT16);
              Activation active = backend.allocate(plan.rows(), WIDTH, Precision.BFLOAT16);
              Activation scores = backend.allocate(plan.rows(), EXPERTS, Precision.FLOAT32);
              Activation last =
                  backend.allocate(Math.max(1, plan.sampledRows()), hidden, Precision.FLOAT32)) {
            backend.embed(table, 1, plan, stream);
            keep(results, "embed", backend, stream);
            backend.normalize(stream, gain, EPSILON, input);
            keep(results, "normalize", backend, input);
            backend.linear(input, down, Optional.of(bias), both);
            keep(results, "linear", backend, both);
            Activation query = both.columns(0, queries);
            Activation key = both.columns(queries, CACHE.width());
            if (plan.decodeRows() == 0) {
              backend.writeCache(key, attention, plan, cache);
            } else {
              backend.writeCacheAndAbsorb(key, query, attention, plan, cache, absorbed);
              keep(results, "writeCacheAndAbsorb", backend, absorbed);
              backend.decodeAttention(absorbed, attention, plan, cache, latents);
              keep(results, "decodeAttention", backend, latents);
              backend.projectValues(latents, attention, plan, attended);
            }
            if (plan.decodeRows() < plan.rows()) {
              backend.prefillAttention(query, attention, plan, cache, attended);
            }
            keep(results, "attention", backend, attended);
            backend.linearAdd(attended, output, Optional.empty(), stream);
            keep(results, "linearAdd", backend, stream);
            backend.linear(input, gateUp, Optional.empty(), gates);
            backend.gatedActivation(gates, active);
            keep(results, "gatedActivation", backend, active);
            backend.linearAdd(active, gated, Optional.empty(), stream);
            backend.linear(input, router, Optional.empty(), scores);
            keep(results, "router", backend, scores);
            Optional<WeightVector> biased =
                policy.method() == RouterPolicy.Method.SIGMOID_BIASED
                    ? Optional.of(correction)
                    : Optional.empty();
            try (Routing routing = backend.route(input, router, biased, policy, experts, plan)) {
              backend.experts(routing, stream);
            }
            keep(results, "experts", backend, stream);
            if (plan.sampledRows() > 0) {
              backend.gatherSampled(stream, plan, last);
              keep(results, "gatherSampled", backend, last);
            }
          }
        }
      }
      return results;
    }

    private static int[] blocks(int[] free, int tokens) {
      int count = CACHE.blocksFor(tokens);
      // Backwards, so that a table is no run of numbers.
      int first = free[0];
      free[0] += count;
      return IntStream.range(0, count).map(i -> first + count - 1 - i).toArray();
    }

    private static int[] ids(Random random, int count) {
      return random.ints(count, 0, VOCABULARY).toArray();
    }

    private static void keep(
        Map<String, float[][]> results, String name, ComputeBackend backend, Activation value) {
      results.put(name + " " + results.size(), backend.read(value));
    }
  }

  private static final int EXPERTS = 8;
  private static final CacheShape CACHE = CacheShape.of(512, 64);

  private static final RouterPolicy GREEDY =
      new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, EXPERTS, 3, 1, 1, false, 1);

  private static void assertSame(Problem problem) {
    Map<String, float[][]> expected;
    Map<String, float[][]> actual;
    try (ComputeBackend cpu = ComputeBackends.cpu(4)) {
      expected = problem.compute(cpu);
    }
    try (CudaBackend cuda = new CudaBackend(GpuDevice.at(0))) {
      actual = problem.compute(cuda);
      assertThat(cuda.device().arena.live()).isZero();
    }
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, rows) -> assertClose(name, actual.get(name), rows));
  }

  /**
   * Past the router a row may be another where its last chosen expert all but tied with the next:
   * bf16 then chooses otherwise. Of random rows few do.
   */
  private static void assertClose(String name, float[][] actual, float[][] expected) {
    double largest = 0;
    for (float[] row : expected) {
      for (float value : row) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    // The GPU's steps may have rows that were added.
    assertThat(actual.length).as(name).isGreaterThanOrEqualTo(expected.length);
    int far = 0;
    double difference = 0;
    for (int row = 0; row < expected.length; row++) {
      double here = difference(actual[row], expected[row]) / largest;
      difference = Math.max(difference, here);
      far += here < TOLERANCE ? 0 : 1;
    }
    boolean routed = name.startsWith("experts") || name.startsWith("gatherSampled");
    assertThat(far)
        .as("%s: rows that differ by more than %s, up to %s", name, TOLERANCE, difference)
        .isLessThanOrEqualTo(routed ? expected.length / 50 : 0);
  }

  private static double difference(float[] actual, float[] expected) {
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      double here = Math.abs(actual[i] - expected[i]);
      difference = Double.isNaN(here) ? Double.POSITIVE_INFINITY : Math.max(difference, here);
    }
    return difference;
  }

  @Test
  void aSingleRowDecodes() {
    assertSame(new Problem(40, 1, 128, 128, true, GREEDY, new int[] {0}, new int[] {}));
  }

  @Test
  void decodesAtTheBordersOfBlocks() {
    assertSame(
        new Problem(
            48, 3, 128, 128, false, GREEDY, new int[] {0, 62, 63, 64, 65, 700, 1}, new int[] {}));
  }

  @Test
  void decodesAndPrefillsTogether() {
    assertSame(
        new Problem(
            264,
            5,
            128,
            128,
            true,
            new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, EXPERTS, 2, 4, 2, true, 2.5f),
            new int[] {130, 5, 64},
            new int[] {2, 129, 700, 64}));
  }

  @Test
  void hasHeadsOfTheOtherSize() {
    assertSame(
        new Problem(
            48,
            2,
            192,
            256,
            true,
            new RouterPolicy(
                RouterPolicy.Method.SOFTMAX_GROUP_LIMITED, EXPERTS, 2, 4, 2, false, 1.5f),
            new int[] {65, 3},
            new int[] {200, 3}));
  }

  /** Repeated steps go on with what the step before sampled, and are recorded on the way. */
  @ParameterizedTest(name = "{0} rows")
  @CsvSource({"1", "5", "64"})
  void aRecordedStepDoesWhatAPlainOneDoes(int rows) {
    try (CudaBackend backend = new CudaBackend(GpuDevice.at(0));
        Weight table = RandomTensors.uploadMatrix(backend, VOCABULARY, 64, 1, 3);
        WeightVector gain = RandomTensors.uploadVector(backend, 64, 1, 0, 1);
        LatentCache cache = backend.allocateCache(CACHE, 1, rows)) {
      Forward repeated = plan -> chain(backend, table, gain, cache, plan);
      List<SampledTokens> steps = new ArrayList<>();
      for (boolean fresh : new boolean[] {true, false}) {
        List<SampledTokens> sampled = new ArrayList<>();
        for (int step = 0; step < 6; step++) {
          List<Segment> segments = new ArrayList<>();
          for (int row = 0; row < rows; row++) {
            segments.add(
                new Segment(
                    Segment.Role.DECODE,
                    step == 0
                        ? new Segment.Tokens.Known(new int[] {row})
                        : new Segment.Tokens.Sampled(rows - 1 - row),
                    step,
                    new int[] {row},
                    List.of(
                        new Segment.Sample(
                            0, new Sampling(1, 20, 0.9f, 0, row, step, LogitsProcessing.NONE)))));
          }
          try (StepPlan plan = backend.plan(segments)) {
            Forward once = chained -> chain(backend, table, gain, cache, chained);
            backend.run(plan, fresh ? once : repeated);
            sampled.add(backend.tokens(plan));
          }
        }
        if (fresh) {
          steps.addAll(sampled);
        } else {
          for (int step = 0; step < steps.size(); step++) {
            for (int row = 0; row < rows; row++) {
              assertThat(sampled.get(step).token(row))
                  .as("row %d of step %d", row, step)
                  .isPresent()
                  .isEqualTo(steps.get(step).token(row));
            }
          }
        }
      }
    }
  }

  private static void chain(
      ComputeBackend backend, Weight table, WeightVector gain, LatentCache cache, StepPlan plan) {
    try (Activation stream = backend.allocate(plan.rows(), 64, Precision.FLOAT32);
        Activation last = backend.allocate(plan.sampledRows(), 64, Precision.FLOAT32);
        Activation input = backend.allocate(plan.sampledRows(), 64, Precision.BFLOAT16);
        Activation logits = backend.allocate(plan.sampledRows(), VOCABULARY, Precision.FLOAT32)) {
      backend.writeTokens(plan, cache);
      backend.embed(table, 1, plan, stream);
      backend.gatherSampled(stream, plan, last);
      backend.normalize(last, gain, EPSILON, input);
      backend.linear(input, table, Optional.empty(), logits);
      backend.sample(logits, plan, cache);
    }
  }
}
