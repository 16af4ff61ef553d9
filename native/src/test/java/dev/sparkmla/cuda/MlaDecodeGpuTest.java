package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The decode kernel on the grid that FlashMLA tests itself with, and beyond it. */
class MlaDecodeGpuTest extends GpuFixture {
  private MlaDecode decode;

  @BeforeAll
  void open() {
    decode = MlaDecode.on(context);
  }

  private DecodeProblem problem(
      MlaShape shape, int[] lengths, boolean causal, DecodeProblem.Padding padding, long seed) {
    return new DecodeProblem(
        decode, context, stream, pool, shape, lengths, causal, padding, new Random(seed));
  }

  private DecodeProblem problem(MlaShape shape, int[] lengths, boolean causal) {
    return problem(shape, lengths, causal, DecodeProblem.Padding.NONE, 7);
  }

  private List<String> complaints(MlaShape shape, int[] lengths, boolean causal) {
    try (DecodeProblem problem = problem(shape, lengths, causal)) {
      return problem.complaints(context);
    }
  }

  static Stream<Arguments> grid() {
    List<Arguments> cells = new ArrayList<>();
    for (int batch : new int[] {1, 2, 6, 64}) {
      for (int queryTokens : new int[] {1, 2, 4}) {
        for (int tokens : new int[] {20, 140, 4096}) {
          cells.add(Arguments.of(batch, queryTokens, tokens));
        }
      }
    }
    return cells.stream();
  }

  @ParameterizedTest(name = "b {0}, s_q {1}, s_k {2}")
  @MethodSource("grid")
  void agreesWithThePlainKernelOnTheWholeGrid(int batch, int queryTokens, int tokens) {
    List<String> complaints = new ArrayList<>();
    int cases = 0;
    for (int queryHeads : new int[] {1, 3, 9, 63, 64, 126, 128}) {
      for (int kvHeads : new int[] {1, 2, 3, 8}) {
        if (queryHeads % kvHeads != 0) {
          continue;
        }
        for (boolean varied : new boolean[] {false, true}) {
          int[] lengths =
              DecodeProblem.lengths(batch, tokens, queryTokens, varied, new Random(queryHeads));
          for (boolean causal : new boolean[] {false, true}) {
            MlaShape shape =
                new MlaShape(
                    batch, queryTokens, queryHeads, kvHeads, 512, 64, 1, SplitPolicy.BALANCED);
            complaints.addAll(complaints(shape, lengths, causal));
            cases++;
          }
        }
      }
    }
    assertThat(cases).isEqualTo(64);
    assertThat(complaints).isEmpty();
  }

  @ParameterizedTest(name = "h_q {0}")
  @CsvSource({"16", "128"})
  void emptySequencesGiveZeroAndInfinity(int queryHeads) {
    Random random = new Random(3);
    int[] lengths = DecodeProblem.lengths(128, 4096, 2, true, random);
    for (int i = 0; i < lengths.length; i++) {
      lengths[i] = random.nextBoolean() ? 0 : lengths[i];
    }
    assertThat(Arrays.stream(lengths).filter(length -> length == 0).count()).isBetween(32L, 96L);
    try (DecodeProblem problem =
        problem(DecodeProblem.deepSeek(128, 2, queryHeads, 1), lengths, true)) {
      assertThat(problem.complaints(context)).isEmpty();
      ShortBuffer out = problem.outBytes().asShortBuffer();
      FloatBuffer logSumExp = problem.logSumExpBytes().asFloatBuffer();
      for (int sequence = 0; sequence < 128; sequence++) {
        if (lengths[sequence] == 0) {
          for (int i = 0; i < 2 * queryHeads; i++) {
            assertThat(logSumExp.get(sequence * 2 * queryHeads + i))
                .isEqualTo(Float.POSITIVE_INFINITY);
            assertThat(out.get((sequence * 2 * queryHeads + i) * 512 + i)).isZero();
          }
        }
      }
    }
  }

  @Test
  void aBatchOfNothingButEmptySequences() {
    assertThat(complaints(DecodeProblem.deepSeek(5, 2, 20, 1), new int[5], true)).isEmpty();
  }

  @ParameterizedTest(name = "b {0}, s_q {1}, h_q {2}, s_k {3}")
  @CsvSource({
    "1, 1, 16, 131072", "1, 1, 20, 131072", "1, 1, 128, 131072", "8, 1, 20, 16384",
    "3, 2, 32, 8192", "200, 1, 20, 300", "1, 7, 128, 2000", "2, 33, 16, 900"
  })
  void agreesBeyondTheGrid(int batch, int queryTokens, int queryHeads, int tokens) {
    int[] lengths = DecodeProblem.lengths(batch, tokens, queryTokens, batch > 1, new Random(9));
    MlaShape shape = DecodeProblem.deepSeek(batch, queryTokens, queryHeads, 1);
    assertThat(complaints(shape, lengths, true)).isEmpty();
    assertThat(complaints(shape.withSplits(SplitPolicy.BY_LENGTH), lengths, false)).isEmpty();
  }

  @ParameterizedTest(name = "latent {0}, rope {1}, h_q {2}, s_q {3}")
  @CsvSource({
    "256, 32, 16, 1", "256, 32, 40, 1", "256, 32, 128, 2",
    "256, 64, 16, 1", "256, 64, 40, 1", "256, 64, 128, 2"
  })
  void agreesForOtherDimensions(int latent, int rope, int queryHeads, int queryTokens) {
    int[] lengths = DecodeProblem.lengths(5, 3000, queryTokens, true, new Random(11));
    for (SplitPolicy splits : SplitPolicy.values()) {
      MlaShape shape = new MlaShape(5, queryTokens, queryHeads, 1, latent, rope, 1, splits);
      assertThat(complaints(shape, lengths, true)).isEmpty();
    }
  }

  @Test
  void refusesDimensionsThatNoKernelIsBuiltFor() {
    assertThatThrownBy(
            () -> decode.metadata(new MlaShape(1, 1, 16, 1, 384, 64, 4, SplitPolicy.BALANCED)))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("latent 384 and rope 64");
  }

  @ParameterizedTest(name = "h_q {0}, s_q {1}")
  @CsvSource({"20, 2", "128, 3", "15, 1"})
  void readsAndWritesInsideLargerTensors(int queryHeads, int queryTokens) {
    int[] lengths = DecodeProblem.lengths(5, 1000, queryTokens, true, new Random(13));
    try (DecodeProblem problem =
        problem(
            DecodeProblem.deepSeek(5, queryTokens, queryHeads, 1),
            lengths,
            true,
            new DecodeProblem.Padding(4, 3),
            17)) {
      assertThat(problem.complaints(context)).isEmpty();
    }
  }

  @ParameterizedTest(name = "h_q {0}, s_q {1}, causal {2}")
  @CsvSource({"16, 1, false", "5, 3, true", "128, 2, true"})
  void agreesWithDoublePrecisionOnTheHost(int queryHeads, int queryTokens, boolean causal) {
    int[] lengths = {queryTokens, 64, 65, 300};
    try (DecodeProblem problem =
        problem(DecodeProblem.deepSeek(4, queryTokens, queryHeads, 1), lengths, causal)) {
      problem.poison();
      problem.run();
      ShortBuffer out = problem.outBytes().asShortBuffer();
      FloatBuffer logSumExp = problem.logSumExpBytes().asFloatBuffer();
      ShortBuffer q = DecodeProblem.read(problem.q.buffer(), stream).asShortBuffer();
      ShortBuffer cache =
          DecodeProblem.read(problem.cache.elements().buffer(), stream).asShortBuffer();
      for (int sequence = 0; sequence < 4; sequence++) {
        for (int token = 0; token < queryTokens; token++) {
          int keys = causal ? lengths[sequence] - queryTokens + token + 1 : lengths[sequence];
          for (int head = 0; head < queryHeads; head++) {
            int row = (sequence * queryTokens + token) * queryHeads + head;
            double[] expected =
                attend(q, row * 576, cache, problem.pages[sequence], keys, problem.scale);
            for (int i = 0; i < 512; i++) {
              assertThat((double) RandomPool.fromBfloat16(out.get(row * 512 + i)))
                  .isCloseTo(expected[i], within(Math.max(8e-4, Math.abs(expected[i]) / 64)));
            }
            assertThat((double) logSumExp.get((sequence * queryHeads + head) * queryTokens + token))
                .isCloseTo(expected[512], within(1e-4 * Math.max(1, Math.abs(expected[512]))));
          }
        }
      }
    }
  }

  /**
   * Powers of two change no rounding: keys times 2^k and queries times 2^-k score alike, and give
   * 2^k times the output, bit for bit. Splits of cut sequences, 16 bits a number, must hold that.
   */
  @ParameterizedTest(name = "h_q {0}, 2^{1}")
  @CsvSource({"16, 40", "16, -60", "128, 40", "128, -60"})
  void followsThePowerOfTwoOfItsValues(int queryHeads, int exponent) {
    int[] lengths = {9000, 3001};
    try (DecodeProblem problem =
        problem(DecodeProblem.deepSeek(2, 1, queryHeads, 1), lengths, false)) {
      IntBuffer splits =
          DecodeProblem.read(problem.metadata.numSplits().buffer(), stream).asIntBuffer();
      assertThat(splits.get(1)).isGreaterThan(1);
      assertThat(splits.get(2)).isGreaterThan(splits.get(1) + 1);
      problem.run();
      ByteBuffer out = problem.outBytes();
      ByteBuffer logSumExp = problem.logSumExpBytes();
      multiply(problem.cache.elements().buffer(), exponent);
      multiply(problem.q.buffer(), -exponent);
      problem.poison();
      problem.run();
      multiply(problem.out.buffer(), -exponent);
      assertThat(problem.outBytes()).isEqualTo(out);
      assertThat(problem.logSumExpBytes()).isEqualTo(logSumExp);
    }
  }

  private void multiply(DeviceBuffer buffer, int exponent) {
    ByteBuffer bytes = DecodeProblem.read(buffer, stream);
    ShortBuffer values = bytes.asShortBuffer();
    for (int i = 0; i < values.capacity(); i++) {
      float value = RandomPool.fromBfloat16(values.get(i));
      values.put(i, RandomPool.toBfloat16(Math.scalb(value, exponent)));
    }
    buffer.copyFromHost(0, bytes, stream);
  }

  private static Offset<Double> within(double offset) {
    return Offset.offset(offset);
  }

  /** softmax(scale q · kᵀ) · v over the first keys of a sequence, then its log-sum-exp. */
  private static double[] attend(
      ShortBuffer q, int at, ShortBuffer cache, int[] pages, int keys, double scale) {
    double[] scores = new double[keys];
    double largest = Double.NEGATIVE_INFINITY;
    for (int key = 0; key < keys; key++) {
      int base = (pages[key / 64] * 64 + key % 64) * 576;
      double sum = 0;
      for (int i = 0; i < 576; i++) {
        sum +=
            (double) RandomPool.fromBfloat16(q.get(at + i))
                * RandomPool.fromBfloat16(cache.get(base + i));
      }
      scores[key] = sum * scale;
      largest = Math.max(largest, scores[key]);
    }
    double[] result = new double[513];
    double total = 0;
    for (int key = 0; key < keys; key++) {
      int base = (pages[key / 64] * 64 + key % 64) * 576;
      double weight = Math.exp(scores[key] - largest);
      total += weight;
      for (int i = 0; i < 512; i++) {
        result[i] += weight * RandomPool.fromBfloat16(cache.get(base + i));
      }
    }
    for (int i = 0; i < 512; i++) {
      result[i] /= total;
    }
    result[512] = largest + Math.log(total);
    return result;
  }

  /**
   * By length, a sequence gives the same bits in a large batch, in a bucket padded with rows of
   * length 0, and alone with a wider block table; all of them use the memory of one shape. In the
   * largest batches most sequences are merged by the thread block that computed all their splits,
   * alone they never are.
   */
  @ParameterizedTest(name = "h_q {0}, s_q {1}, latent {2} + {3}, {4} sequences of {5}")
  @CsvSource({
    "16, 1, 512, 64, 40, 3000",
    "20, 1, 512, 64, 40, 3000",
    "64, 1, 512, 64, 40, 3000",
    "128, 1, 512, 64, 40, 3000",
    "128, 2, 512, 64, 40, 3000",
    "40, 1, 256, 32, 40, 3000",
    "32, 1, 256, 64, 40, 3000",
    "16, 1, 512, 64, 280, 2000",
    "20, 1, 256, 32, 280, 2000",
    "128, 1, 512, 64, 100, 4000"
  })
  void splitsByLengthMakeASequenceIndependentOfItsBatch(
      int queryHeads, int queryTokens, int latent, int rope, int batch, int mean) {
    Random random = new Random(19);
    int[] lengths = DecodeProblem.lengths(batch, mean, queryTokens, true, random);
    lengths[3] = 20_000;
    lengths[4] = 0;
    lengths[5] = queryTokens;
    MlaShape shape =
        new MlaShape(batch, queryTokens, queryHeads, 1, latent, rope, 1, SplitPolicy.BY_LENGTH);
    try (DecodeProblem together = problem(shape, lengths, true)) {
      assertThat(together.complaints(context)).isEmpty();
      ByteBuffer out = together.outBytes();
      ByteBuffer logSumExp = together.logSumExpBytes();
      int columns = together.shape.maxBlocks();
      try (MlaMetadata memory = decode.metadata(resized(shape, 16, columns + 70))) {
        for (int rows : new int[] {1, 16}) {
          for (int sequence : new int[] {0, 3, 4, 5, 6, 17, 39}) {
            sameBits(together, sequence, rows, columns + 70 * (rows % 2), memory, out, logSumExp);
          }
        }
      }
    }
  }

  private static MlaShape resized(MlaShape shape, int batch, int maxBlocks) {
    return new MlaShape(
        batch,
        shape.queryTokens(),
        shape.queryHeads(),
        shape.kvHeads(),
        shape.latentDim(),
        shape.ropeDim(),
        maxBlocks,
        shape.splits());
  }

  /**
   * One sequence of a problem, alone or before rows of length 0, against its part of the output.
   */
  private void sameBits(
      DecodeProblem together,
      int sequence,
      int rows,
      int columns,
      MlaMetadata memory,
      ByteBuffer out,
      ByteBuffer logSumExp) {
    MlaShape shape = resized(together.shape, rows, columns);
    int heads = shape.queryHeads();
    int tokens = shape.queryTokens();
    int outBytes = 2 * shape.latentDim() * heads * tokens;
    int logSumExpBytes = 4 * heads * tokens;
    int queryBytes = 2 * shape.keyDim() * heads * tokens;
    int[] lengths = new int[rows];
    lengths[0] = together.lengths[sequence];
    int[] table = new int[rows * columns];
    Arrays.fill(table, 2147480000);
    System.arraycopy(together.pages[sequence], 0, table, 0, together.pages[sequence].length);
    try (MlaMetadata metadata = memory.withShape(shape);
        DeviceBuffer q = context.allocate((long) rows * queryBytes);
        DeviceBuffer tables = context.allocate(4L * table.length);
        DeviceBuffer aloneOut = context.allocate((long) rows * outBytes);
        DeviceBuffer aloneLogSumExp = context.allocate((long) rows * logSumExpBytes)) {
      q.fill(0, q.bytes(), (byte) 0xFF, stream);
      q.copyFromDevice(0, together.q.buffer(), (long) sequence * queryBytes, queryBytes, stream);
      DecodeProblem.write(tables, table, stream);
      metadata.update(lengths, stream);
      decode.withKvCache(
          q.tensor(ElementType.BFLOAT16, rows, tokens, heads, shape.keyDim()),
          together.cache,
          tables.tensor(ElementType.INT32, rows, columns),
          metadata.cacheSeqlens(),
          shape.latentDim(),
          metadata,
          together.scale,
          true,
          aloneOut.tensor(ElementType.BFLOAT16, rows, tokens, heads, shape.latentDim()),
          aloneLogSumExp.tensor(ElementType.FLOAT32, rows, heads, tokens),
          stream);
      assertThat(DecodeProblem.read(aloneOut, stream).slice(0, outBytes))
          .as("length %d in a batch of %d", lengths[0], rows)
          .isEqualTo(out.slice(sequence * outBytes, outBytes));
      assertThat(DecodeProblem.read(aloneLogSumExp, stream).slice(0, logSumExpBytes))
          .as("length %d in a batch of %d", lengths[0], rows)
          .isEqualTo(logSumExp.slice(sequence * logSumExpBytes, logSumExpBytes));
    }
  }

  /**
   * Whatever is settled: nothing, ends within pages and at their ends, all but the last token. The
   * kernel right before writes that token and the queries, so that neither may be read early.
   */
  @ParameterizedTest(name = "h_q {0}, latent {1} + {2}, {3} sequences")
  @CsvSource({"16, 512, 64, 5", "20, 512, 64, 40", "128, 512, 64, 40", "40, 256, 32, 200"})
  void readsSettledTokensEarlyWithTheSameBits(int queryHeads, int latent, int rope, int batch)
      throws Exception {
    int[] lengths = DecodeProblem.lengths(batch, 1500, 1, true, new Random(23));
    lengths[0] = 0;
    lengths[1] = 64;
    lengths[2] = 65;
    MlaShape shape = new MlaShape(batch, 1, queryHeads, 1, latent, rope, 1, SplitPolicy.BY_LENGTH);
    try (DecodeProblem problem = problem(shape, lengths, false);
        LastTokens last = new LastTokens(problem);
        DeviceBuffer settled = context.allocate(4L * batch)) {
      last.write(0);
      problem.run();
      ByteBuffer out = problem.outBytes();
      ByteBuffer logSumExp = problem.logSumExpBytes();
      for (int missing : new int[] {1, 64, 200, Integer.MAX_VALUE}) {
        DecodeProblem.write(
            settled,
            Arrays.stream(lengths).map(length -> Math.max(0, length - missing)).toArray(),
            stream);
        last.write(1);
        problem.run(); // the earlier call that settled tokens are older than
        problem.poison();
        stream.synchronize();
        try (CudaGraph graph =
            CudaGraph.capture(
                stream,
                () -> {
                  problem.run();
                  last.write(0);
                  problem.runSettled(settled.tensor(ElementType.INT32, batch));
                })) {
          graph.launch(stream);
          assertThat(problem.outBytes()).as("all but %d", missing).isEqualTo(out);
          assertThat(problem.logSumExpBytes()).as("all but %d", missing).isEqualTo(logSumExp);
        }
      }
    }
  }

  /** Writes each sequence's last token, and rotates queries into place: one kernel. */
  private final class LastTokens implements AutoCloseable {
    private final DecodeProblem problem;
    private final List<AutoCloseable> open = new ArrayList<>();
    private final RotaryEmbedding embedding;
    private final DeviceBuffer latents;
    private final DeviceBuffer queries;
    private final DeviceBuffer gain;
    private final DeviceBuffer positions;
    private final DeviceBuffer slots;

    LastTokens(DecodeProblem problem) {
      this.problem = problem;
      MlaShape shape = problem.shape;
      int batch = shape.batch();
      double[] frequencies = new double[shape.ropeDim() / 2];
      Arrays.setAll(frequencies, pair -> Math.pow(10_000, -2.0 * pair / shape.ropeDim()));
      embedding = own(RotaryEmbedding.of(context, frequencies, 1, true, 20_000, stream));
      latents = filled(2L * 2 * batch * shape.keyDim());
      queries = filled(2L * 2 * batch * shape.queryHeads() * shape.ropeDim());
      gain = filled(4L * shape.latentDim());
      positions = own(context.allocate(4L * batch));
      slots = own(context.allocate(4L * batch));
      DecodeProblem.write(positions, problem.lengths, stream);
      int[] places = new int[batch];
      for (int i = 0; i < batch; i++) {
        int token = problem.lengths[i] - 1;
        places[i] = token < 0 ? -1 : problem.pages[i][token / 64] * 64 + token % 64;
      }
      DecodeProblem.write(slots, places, stream);
    }

    private DeviceBuffer filled(long bytes) {
      DeviceBuffer buffer = own(context.allocate(bytes));
      pool.fill(buffer, 0, bytes, new Random(bytes), stream);
      return buffer;
    }

    /** Enqueues one of two versions. */
    void write(int version) {
      MlaShape shape = problem.shape;
      int batch = shape.batch();
      int heads = shape.queryHeads();
      int rope = shape.ropeDim();
      long tokenBytes = 2L * batch * shape.keyDim();
      long headBytes = 2L * batch * heads * rope;
      DeviceTensor q = problem.q;
      embedding.writeCacheAndRotate(
          DeviceTensor.of(
              latents, version * tokenBytes, ElementType.BFLOAT16, batch, shape.keyDim()),
          gain.tensor(ElementType.FLOAT32, shape.latentDim()),
          1e-6f,
          positions.tensor(ElementType.INT32, batch),
          slots.tensor(ElementType.INT32, batch),
          problem.cache,
          DeviceTensor.of(queries, version * headBytes, ElementType.BFLOAT16, batch, heads, rope),
          DeviceTensor.strided(
              q.buffer(),
              2L * shape.latentDim(),
              ElementType.BFLOAT16,
              new long[] {batch, heads, rope},
              new long[] {q.stride(0), q.stride(2), 1}),
          stream);
    }

    private <T extends AutoCloseable> T own(T resource) {
      open.add(resource);
      return resource;
    }

    @Override
    public void close() throws Exception {
      for (AutoCloseable resource : open) {
        resource.close();
      }
    }
  }

  @Test
  void aCapturedStepFollowsTheLengthsOnTheDevice() {
    int[] lengths = {2000, 131, 64, 1};
    try (DecodeProblem problem = problem(DecodeProblem.deepSeek(4, 1, 128, 1), lengths, false)) {
      problem.run();
      ByteBuffer eager = problem.outBytes();
      DeviceTensor onDevice = problem.metadata.cacheSeqlens();
      try (CudaGraph graph =
          CudaGraph.capture(
              stream,
              () -> {
                problem.metadata.update(onDevice, stream);
                problem.run();
              })) {
        problem.poison();
        graph.launch(stream);
        assertThat(problem.outBytes()).isEqualTo(eager);

        int[] shorter = {1000, 131, 0, 1};
        DecodeProblem.write(onDevice.buffer(), shorter, stream);
        problem.poison();
        graph.launch(stream);
        ByteBuffer replayed = problem.outBytes();
        problem.metadata.update(shorter, stream);
        problem.poison();
        problem.run();
        assertThat(replayed).isEqualTo(problem.outBytes()).isNotEqualTo(eager);
      }
    }
  }

  @Test
  void aFailureDuringCaptureLeavesTheStreamUsable() {
    assertThatThrownBy(
            () ->
                CudaGraph.capture(
                    stream,
                    () -> {
                      throw new IllegalArgumentException("changed my mind");
                    }))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("changed my mind");
    assertThat(complaints(DecodeProblem.deepSeek(2, 1, 16, 1), new int[] {100, 200}, false))
        .isEmpty();
  }

  @Test
  void threadsDecodeSideBySide() throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<String> complaints = Collections.synchronizedList(new ArrayList<>());
    for (int i = 0; i < 4; i++) {
      int seed = i;
      Thread thread =
          new Thread(
              () -> {
                try (CudaStream own = context.newStream()) {
                  for (int round = 0; round < 5; round++) {
                    try (DecodeProblem problem =
                        new DecodeProblem(
                            decode,
                            context,
                            own,
                            pool,
                            DecodeProblem.deepSeek(3, 1, 20, 1),
                            new int[] {500, 3000 + seed, 70 * round},
                            true,
                            DecodeProblem.Padding.NONE,
                            new Random(seed))) {
                      complaints.addAll(problem.complaints(context));
                    }
                  }
                } catch (RuntimeException e) {
                  complaints.add(e.toString());
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(complaints).isEmpty();
  }
}
