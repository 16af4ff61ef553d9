package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.PrefillProblem.Shape;
import dev.sparkmla.cuda.PrefillProblem.Sizes;
import dev.sparkmla.kvcache.CacheShape;
import java.nio.ByteBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The prefill kernel against the plain one. */
class MlaPrefillGpuTest extends GpuFixture {
  private static final int ALL_KEYS = 1 << 30;

  private MlaPrefill prefill;

  @BeforeAll
  void open() {
    prefill = MlaPrefill.on(context);
  }

  private PrefillProblem problem(Shape shape) {
    return new PrefillProblem(prefill, context, stream, pool, shape, new Random(7));
  }

  private List<String> complaints(Shape shape) {
    try (PrefillProblem problem = problem(shape)) {
      return problem.complaints();
    }
  }

  @ParameterizedTest
  @EnumSource
  void agreesWithThePlainKernelAtOneSegment(Sizes sizes) {
    List<String> complaints = new ArrayList<>();
    for (int heads : new int[] {1, 3, 20, 128}) {
      for (int length : new int[] {1, 2, 63, 64, 65, 80, 81, 127, 128, 129, 160, 500, 1111}) {
        int[] lengths = {length};
        complaints.addAll(complaints(Shape.causal(heads, sizes, lengths, lengths)));
      }
    }
    assertThat(complaints).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void agreesAtSeveralSegmentsWithCachedContext(Sizes sizes) {
    List<String> complaints = new ArrayList<>();
    for (int seed = 0; seed < 30; seed++) {
      Random random = new Random(seed);
      int segments = new int[] {1, 2, 5, 33, 70}[seed % 5];
      int[] queries = new int[segments];
      int[] keys = new int[segments];
      int[] offsets = new int[segments];
      for (int i = 0; i < segments; i++) {
        queries[i] = random.nextInt(4) == 0 ? random.nextInt(3) : random.nextInt(400);
        keys[i] = random.nextInt(4) == 0 ? random.nextInt(3) : queries[i] + random.nextInt(700);
        offsets[i] =
            switch (random.nextInt(4)) {
              case 0 -> random.nextInt(800) - 400;
              case 1 -> random.nextBoolean() ? ALL_KEYS : -ALL_KEYS;
              default -> keys[i] - queries[i];
            };
      }
      queries[0]++;
      keys[0]++;
      int heads = new int[] {1, 5, 16, 24, 47}[random.nextInt(5)];
      Shape shape = new Shape(heads, sizes, queries, keys, offsets);
      String drawn = "seed " + seed + ": ";
      complaints(shape).forEach(complaint -> complaints.add(drawn + complaint));
    }
    assertThat(complaints).isEmpty();
  }

  @ParameterizedTest(name = "{0}, {1} heads, {2} queries, {3} keys")
  @CsvSource({
    "DEEPSEEK, 16, 4096, 4096",
    "DEEPSEEK, 2, 700, 9000",
    "GLM, 20, 2048, 2048",
    "MISTRAL, 32, 2048, 2048",
    "MINICPM, 40, 2048, 2048"
  })
  void agreesAtLength(Sizes sizes, int heads, int queries, int keys) {
    assertThat(complaints(Shape.causal(heads, sizes, new int[] {queries}, new int[] {keys})))
        .isEmpty();
  }

  @Test
  void rowsWithoutKeysGiveZeroAndInfinity() {
    Shape shape = new Shape(3, Sizes.DEEPSEEK, new int[] {200}, new int[] {50}, new int[] {-150});
    try (PrefillProblem problem = problem(shape)) {
      assertThat(problem.complaints()).isEmpty();
      ShortBuffer out = problem.outBytes().asShortBuffer();
      ByteBuffer logSumExp = problem.logSumExpBytes();
      for (int row = 0; row < 150; row++) {
        assertThat(logSumExp.getFloat(4 * row)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(out.get(row * 3 * 128)).isZero();
      }
      assertThat(logSumExp.getFloat(4 * 150)).isFinite();
    }
  }

  @ParameterizedTest
  @EnumSource
  void mergedRangesOfKeysGiveWhatOnePassGives(Sizes sizes) {
    int[][] cuts = {{0, 300, 1000}, {0, 64, 65, 777, 1000}, {0, 990, 1000}, {0, 500, 500, 1000}};
    for (int[] cut : cuts) {
      Shape shape = Shape.causal(4, sizes, new int[] {500}, new int[] {1000});
      try (PrefillProblem problem = problem(shape)) {
        problem.poison();
        for (int i = 0; i + 1 < cut.length; i++) {
          problem.runRange(cut[i], cut[i + 1], i > 0);
        }
        assertThat(problem.compare(problem.outBytes(), problem.logSumExpBytes()))
            .as("cut at %s", (Object) cut)
            .isEmpty();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSegmentGivesTheSameBitsAloneAndAmongOthers(Sizes sizes) {
    int heads = 16;
    int[] lengths = {77, 300, 513};
    try (PrefillProblem together = problem(Shape.causal(heads, sizes, lengths, lengths));
        PrefillProblem alone =
            problem(Shape.causal(heads, sizes, new int[] {300}, new int[] {300}))) {
      copyRows(together.q, alone.q, 77, 300);
      copyRows(together.kv, alone.kv, 77, 300);
      copyRows(together.kRope, alone.kRope, 77, 300);
      together.run();
      alone.run();
      int rowBytes = 2 * heads * sizes.value;
      assertThat(alone.outBytes().slice(0, 300 * rowBytes))
          .isEqualTo(together.outBytes().slice(77 * rowBytes, 300 * rowBytes));
    }
  }

  /** Rows of one tensor, from {@code begin} on, to the first of another. */
  private void copyRows(DeviceTensor from, DeviceTensor to, int begin, int count) {
    long rowBytes = 2 * from.stride(0);
    to.buffer().copyFromDevice(0, from.buffer(), begin * rowBytes, count * rowBytes, stream);
  }

  /** Also where a chunk's first rows see nothing of a range of keys that its last rows see. */
  @ParameterizedTest(name = "{0}, {1} rows, keys in ranges of {2}")
  @CsvSource({
    "DEEPSEEK, 700, 1000", "DEEPSEEK, 1500, 512", "GLM, 700, 1000", "GLM, 1500, 512",
    "MISTRAL, 700, 1000", "MISTRAL, 1500, 512", "MINICPM, 700, 1000", "MINICPM, 1500, 512"
  })
  void aRowGivesTheSameBitsInChunksOfAnySize(Sizes sizes, int rows, int range) {
    int[] lengths = {rows};
    try (PrefillProblem problem = problem(Shape.causal(3, sizes, lengths, lengths))) {
      PrefillProblem.Bits whole = problem.inChunks(rows, range);
      for (int chunk : new int[] {1, 7, 64, 333, 2048}) {
        PrefillProblem.Bits chunked = problem.inChunks(chunk, range);
        assertThat(chunked.out()).as("chunks of %d", chunk).isEqualTo(whole.out());
        assertThat(chunked.logSumExp()).as("chunks of %d", chunk).isEqualTo(whole.logSumExp());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void mergingWithKeysThatNoRowSeesChangesNoBit(Sizes sizes) {
    int[] lengths = {300};
    try (PrefillProblem problem = problem(Shape.causal(3, sizes, lengths, lengths))) {
      problem.run();
      problem.out.buffer().fill(0, 2, (byte) 0, stream);
      problem.out.buffer().fill(1, 1, (byte) 0x80, stream); // negative zero
      ByteBuffer out = problem.outBytes();
      ByteBuffer logSumExp = problem.logSumExpBytes();
      problem.runRange(300, 300, true);
      assertThat(problem.outBytes()).isEqualTo(out);
      assertThat(problem.logSumExpBytes()).isEqualTo(logSumExp);
    }
  }

  @Test
  void runsFromAGraph() {
    int[] lengths = {300, 1};
    try (PrefillProblem problem = problem(Shape.causal(16, Sizes.DEEPSEEK, lengths, lengths))) {
      DeviceTensor starts = problem.integers(0, 300, 301);
      DeviceTensor offsets = problem.integers(0, 0);
      Runnable call =
          () ->
              prefill.attention(
                  problem.q,
                  problem.kv,
                  problem.kRope,
                  problem.queryStarts,
                  starts,
                  offsets,
                  128,
                  problem.scale,
                  false,
                  problem.out,
                  problem.logSumExp,
                  problem.nextTile,
                  stream);
      problem.poison();
      call.run();
      ByteBuffer once = problem.outBytes();
      problem.poison();
      stream.synchronize();
      try (CudaGraph graph = CudaGraph.capture(stream, call)) {
        graph.launch(stream);
        assertThat(problem.outBytes()).isEqualTo(once);
      }
    }
  }

  @ParameterizedTest(name = "{0} + {1}")
  @CsvSource({"512, 64", "256, 64", "256, 32"})
  void gathersRowsOfThePagedCache(int latentDim, int ropeDim) {
    int[] lengths = {5, 0, 130, 64};
    int[] first = {60, 3, 1, 64};
    int[][] pages = {{7, 2}, {}, {9, 0, 4}, {-1, 5}};
    int width = latentDim + ropeDim;
    int rows = 199;
    int[] table = new int[4 * 3];
    for (int s = 0; s < 4; s++) {
      for (int column = 0; column < 3; column++) {
        boolean used = column < pages[s].length && pages[s][column] >= 0;
        table[s * 3 + column] = used ? pages[s][column] : 2147480000;
      }
    }
    try (DeviceBuffer cache = context.allocate(2L * 10 * 64 * width);
        DeviceBuffer blockTable = context.allocate(4L * table.length);
        DeviceBuffer starts = context.allocate(4L * 5);
        DeviceBuffer firstKeys = context.allocate(4L * 4);
        DeviceBuffer latents = context.allocate(2L * (rows + 2) * latentDim);
        DeviceBuffer rope = context.allocate(2L * (rows + 2) * ropeDim)) {
      pool.fill(cache, 0, cache.bytes(), new Random(5), stream);
      DecodeProblem.write(blockTable, table, stream);
      DecodeProblem.write(starts, PrefillProblem.starts(lengths), stream);
      DecodeProblem.write(firstKeys, first, stream);
      latents.fill(0, latents.bytes(), (byte) 0x7A, stream);
      rope.fill(0, rope.bytes(), (byte) 0x7A, stream);
      prefill.gatherCache(
          PagedCache.of(cache, 0, CacheShape.of(latentDim, ropeDim), 10),
          blockTable.tensor(ElementType.INT32, 4, 3),
          starts.tensor(ElementType.INT32, 5),
          firstKeys.tensor(ElementType.INT32, 4),
          latents.tensor(ElementType.BFLOAT16, rows + 2, latentDim),
          rope.tensor(ElementType.BFLOAT16, rows + 2, ropeDim),
          stream);

      ShortBuffer cached = DecodeProblem.read(cache, stream).asShortBuffer();
      ShortBuffer gotLatents = DecodeProblem.read(latents, stream).asShortBuffer();
      ShortBuffer gotRope = DecodeProblem.read(rope, stream).asShortBuffer();
      int row = 0;
      for (int s = 0; s < 4; s++) {
        for (int i = 0; i < lengths[s]; i++, row++) {
          int position = first[s] + i;
          int from = (pages[s][position / 64] * 64 + position % 64) * width;
          assertThat(gotLatents.slice(row * latentDim, latentDim))
              .isEqualTo(cached.slice(from, latentDim));
          assertThat(gotRope.slice(row * ropeDim, ropeDim))
              .isEqualTo(cached.slice(from + latentDim, ropeDim));
        }
      }
      for (int i = row * latentDim; i < gotLatents.capacity(); i++) {
        assertThat(gotLatents.get(i)).isEqualTo((short) 0x7A7A);
      }
      for (int i = row * ropeDim; i < gotRope.capacity(); i++) {
        assertThat(gotRope.get(i)).isEqualTo((short) 0x7A7A);
      }
    }
  }

  @Test
  void refusesSizesThatNoKernelIsBuiltFor() {
    assertThat(MlaPrefill.supports(96, 64, 128)).isFalse();
    for (Sizes sizes : Sizes.values()) {
      assertThat(MlaPrefill.supports(sizes.nope, sizes.rope, sizes.value)).isTrue();
    }
    try (DeviceBuffer memory = context.allocate(1 << 16)) {
      DeviceTensor starts = memory.tensor(ElementType.INT32, 2);
      assertThatThrownBy(
              () ->
                  prefill.attention(
                      memory.tensor(ElementType.BFLOAT16, 1, 1, 160),
                      memory.tensor(ElementType.BFLOAT16, 1, 1, 224),
                      memory.tensor(ElementType.BFLOAT16, 1, 64),
                      starts,
                      starts,
                      memory.tensor(ElementType.INT32, 1),
                      96,
                      1,
                      false,
                      memory.tensor(ElementType.BFLOAT16, 1, 1, 128),
                      memory.tensor(ElementType.FLOAT32, 1, 1),
                      memory.tensor(ElementType.INT32, 1),
                      stream))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("keys of 96 + 64 with values of 128");
    }
  }

  @Test
  void refusesAStreamOfAnotherContext() {
    int[] lengths = {5};
    try (PrefillProblem problem = problem(Shape.causal(1, Sizes.DEEPSEEK, lengths, lengths));
        CudaContext other = CudaContext.open(GpuDevice.at(0));
        CudaStream foreign = other.newStream()) {
      DeviceTensor starts = problem.integers(0, 5);
      DeviceTensor offsets = problem.integers(0);
      assertThatThrownBy(
              () ->
                  prefill.attention(
                      problem.q,
                      problem.kv,
                      problem.kRope,
                      problem.queryStarts,
                      starts,
                      offsets,
                      128,
                      problem.scale,
                      false,
                      problem.out,
                      problem.logSumExp,
                      problem.nextTile,
                      foreign))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("stream belongs to another context");
    }
  }
}
