package dev.sparkmla.compute.cpu.bench;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.RouterPolicy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The other operations at the demo model's sizes: hidden 256, 4 heads of 128 + 64 and 128, 8
 * experts of 128. Prefilling is one prompt of 2,048 tokens, decoding 16 sequences of 2,048.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@State(Scope.Benchmark)
public class OperationBenchmark {
  private static final int TOKENS = 2048;
  private static final int SEQUENCES = 16;
  private static final int BLOCKS = TOKENS / CacheShape.PAGE;
  private static final int HIDDEN = 256;
  private static final int HEADS = 4;
  private static final int EXPERTS = 8;
  private static final int VOCABULARY = 896;
  private static final AttentionShape SHAPE =
      new AttentionShape(HEADS, 128, 128, 0.07f, Optional.empty(), CacheShape.of(512, 64));
  private static final RouterPolicy POLICY =
      new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, EXPERTS, 2, 1, 1, true, 1);

  private final Deque<AutoCloseable> opened = new ArrayDeque<>();
  private ComputeBackend backend;
  private StepPlan prefill;
  private StepPlan decode;
  private LatentCache cache;
  private LatentAttention attention;
  private WeightVector hiddenGain;
  private ExpertWeights experts;
  private Activation hidden;
  private Activation input;
  private Activation latents;
  private Activation queries;
  private Activation attended;
  private Activation decodeLatents;
  private Activation decodeQueries;
  private Activation absorbed;
  private Activation decoded;
  private Activation decodedValues;
  private Weight router;
  private Activation logits;

  private <T extends AutoCloseable> T own(T resource) {
    opened.push(resource);
    return resource;
  }

  private Weight weight(int rows, int columns) {
    return own(GemmBenchmark.drawn(backend, rows, columns, opened.size()));
  }

  private WeightVector gain(int size) {
    return own(RandomTensors.uploadVector(backend, size, 1, 0.05f, opened.size()));
  }

  private Activation activation(int rows, int columns, Precision precision) {
    Activation made = own(backend.allocate(rows, columns, precision));
    try (Weight table = GemmBenchmark.drawn(backend, rows, columns, opened.size())) {
      CpuBenchmark.fill(backend, table, made);
    }
    return made;
  }

  /** Draws a layer and a filled cache. */
  @Setup
  public void open() {
    backend = own(ComputeBackends.cpu(CpuBenchmark.threads()));
    int[] ids = IntStream.range(0, TOKENS).map(i -> i % VOCABULARY).toArray();
    prefill =
        own(backend.plan(List.of(Segments.prompt(ids, 0, IntStream.range(0, BLOCKS).toArray()))));
    List<Segment> rows = new ArrayList<>();
    for (int i = 0; i < SEQUENCES; i++) {
      rows.add(
          Segments.decode(
              new int[] {i}, TOKENS - 1, IntStream.range(i * BLOCKS, (i + 1) * BLOCKS).toArray()));
    }
    decode = own(backend.plan(rows));
    cache = own(backend.allocateCache(SHAPE.cache(), 1, SEQUENCES * BLOCKS));
    double[] frequencies =
        IntStream.range(0, 32).mapToDouble(i -> Math.pow(1e5, -i / 32.0)).toArray();
    int latent = SHAPE.cache().latent();
    attention =
        new LatentAttention(
            0,
            SHAPE,
            own(backend.rotation(frequencies, 1, true, TOKENS)),
            gain(latent),
            1e-6f,
            weight(SHAPE.keyValueRows(), latent));
    hiddenGain = gain(HIDDEN);
    List<GatedSource> sources = new ArrayList<>();
    for (int i = 0; i < EXPERTS; i++) {
      MatrixSource up = RandomTensors.matrix("up", 128, HIDDEN, 0.05f, i);
      sources.add(new GatedSource(up, up, RandomTensors.matrix("down", HIDDEN, 128, 0.05f, i)));
    }
    experts = own(backend.uploadExperts(sources));
    hidden = activation(TOKENS, HIDDEN, Precision.FLOAT32);
    input = activation(TOKENS, HIDDEN, Precision.BFLOAT16);
    latents = activation(TOKENS, SHAPE.cache().width(), Precision.BFLOAT16);
    queries = activation(TOKENS, SHAPE.queryWidth(), Precision.BFLOAT16);
    attended = activation(TOKENS, SHAPE.valueWidth(), Precision.BFLOAT16);
    decodeLatents = activation(SEQUENCES, SHAPE.cache().width(), Precision.BFLOAT16);
    decodeQueries = activation(SEQUENCES, SHAPE.queryWidth(), Precision.BFLOAT16);
    absorbed = activation(SEQUENCES, SHAPE.absorbedWidth(), Precision.BFLOAT16);
    decoded = activation(SEQUENCES, SHAPE.latentWidth(), Precision.BFLOAT16);
    decodedValues = activation(SEQUENCES, SHAPE.valueWidth(), Precision.BFLOAT16);
    router = weight(EXPERTS, HIDDEN);
    logits = activation(SEQUENCES, VOCABULARY, Precision.FLOAT32);
    for (int i = 0; i < SEQUENCES; i++) { // Every sequence's pages hold numbers.
      Segment filling =
          Segments.chunk(ids, 0, IntStream.range(i * BLOCKS, (i + 1) * BLOCKS).toArray());
      try (StepPlan plan = backend.plan(List.of(filling))) {
        backend.writeCache(latents, attention, plan, cache);
      }
    }
  }

  /** Gives everything back, the backend last. */
  @TearDown
  public void close() throws Exception {
    while (!opened.isEmpty()) {
      opened.pop().close();
    }
  }

  /** RMSNorm of 2,048 rows. */
  @Benchmark
  public void normalize() {
    backend.normalize(hidden, hiddenGain, 1e-6f, input);
  }

  /** 2,048 tokens into the cache. */
  @Benchmark
  public void writeCache() {
    backend.writeCache(latents, attention, prefill, cache);
  }

  /** Causal attention of a prompt of 2,048 tokens, expanded. */
  @Benchmark
  public void prefillAttention() {
    backend.prefillAttention(queries, attention, prefill, cache, attended);
  }

  /** 16 rows into the cache, and their queries into the latent space. */
  @Benchmark
  public void writeCacheAndAbsorb() {
    backend.writeCacheAndAbsorb(decodeLatents, decodeQueries, attention, decode, cache, absorbed);
  }

  /** Attention of 16 rows over 2,048 tokens each, absorbed. */
  @Benchmark
  public void decodeAttention() {
    backend.decodeAttention(absorbed, attention, decode, cache, decoded);
  }

  /** Values of 16 rows out of the latent space. */
  @Benchmark
  public void projectValues() {
    backend.projectValues(decoded, attention, decode, decodedValues);
  }

  /** Logits and choice of 2 experts of 8 for 2,048 tokens. */
  @Benchmark
  public void route() {
    newRouting().close();
  }

  private Routing newRouting() {
    return backend.route(input, router, Optional.empty(), POLICY, experts, prefill);
  }

  /** The same, and the 2 experts of each token. */
  @Benchmark
  public void experts() {
    try (Routing routing = newRouting()) {
      backend.experts(routing, hidden);
    }
  }

  /** Greedy tokens of 16 rows. */
  @Benchmark
  public void sample() {
    backend.sample(logits, decode, cache);
  }
}
