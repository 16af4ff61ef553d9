package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.IntBinaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The grouped GEMMs against the plain kernel. */
class ExpertsGpuTest extends GpuFixture {
  private static final byte NAN_BYTE = (byte) 0xFF;

  private Experts experts;

  @BeforeAll
  void open() {
    experts = Experts.on(context);
  }

  /** One layer on random data; workspace NaN, outputs zero before a run. */
  private final class Problem implements AutoCloseable {
    final ExpertsShape shape;
    final int rows;
    final DeviceBuffer x;
    final DeviceBuffer ids;
    final DeviceBuffer weights;
    final DeviceBuffer gateUp;
    final DeviceBuffer down;
    final DeviceBuffer out;
    final DeviceBuffer workspace;
    final DeviceBuffer validRows;

    /**
     * @param choice of a row and a place in it
     */
    Problem(ExpertsShape shape, int rows, IntBinaryOperator choice) {
      this.shape = shape;
      this.rows = rows;
      Random random = new Random(5);
      long weightElements = (long) shape.experts() * shape.hidden() * shape.width();
      x = filled((long) rows * shape.hidden(), random);
      gateUp = filled(2 * weightElements, random);
      down = filled(weightElements, random);
      out = context.allocate(4L * rows * shape.hidden());
      workspace = context.allocate(experts.workspaceBytes(shape, rows));
      validRows = context.allocate(4);
      ids = context.allocate(4L * rows * shape.perToken());
      weights = context.allocate(4L * rows * shape.perToken());
      int[] chosen = new int[rows * shape.perToken()];
      ByteBuffer drawn =
          ByteBuffer.allocateDirect(4 * chosen.length).order(ByteOrder.nativeOrder());
      for (int i = 0; i < chosen.length; i++) {
        chosen[i] = choice.applyAsInt(i / shape.perToken(), i % shape.perToken());
        drawn.putFloat(4 * i, 0.1f + random.nextFloat());
      }
      DecodeProblem.write(ids, chosen, stream);
      weights.copyFromHost(0, drawn, stream);
      setValidRows(rows);
    }

    private DeviceBuffer filled(long elements, Random random) {
      DeviceBuffer buffer = context.allocate(2 * elements);
      pool.fill(buffer, 0, buffer.bytes(), random, stream);
      return buffer;
    }

    void setValidRows(int count) {
      DecodeProblem.write(validRows, new int[] {count}, stream);
    }

    /** Clears the output and enqueues rows from {@code first} on. */
    void enqueue(boolean plain, int first, int count) {
      out.fill(0, out.bytes(), (byte) 0, stream);
      enqueue(plain, first, count, Optional.empty());
    }

    private void enqueue(boolean plain, int first, int count, Optional<RowNorm> norm) {
      workspace.fill(0, workspace.bytes(), NAN_BYTE, stream);
      DeviceTensor tokens =
          DeviceTensor.of(
              x, 2L * first * shape.hidden(), ElementType.BFLOAT16, count, shape.hidden());
      Optional<DeviceTensor> valid = Optional.of(validRows.tensor(ElementType.INT32, 1));
      long at = 4L * first * shape.perToken();
      DeviceTensor chosen = DeviceTensor.of(ids, at, ElementType.INT32, count, shape.perToken());
      DeviceTensor factors =
          DeviceTensor.of(weights, at, ElementType.FLOAT32, count, shape.perToken());
      DeviceTensor gates =
          gateUp.tensor(ElementType.BFLOAT16, shape.experts(), 2L * shape.width(), shape.hidden());
      DeviceTensor downs =
          down.tensor(ElementType.BFLOAT16, shape.experts(), shape.hidden(), shape.width());
      DeviceTensor sums = out.tensor(ElementType.FLOAT32, count, shape.hidden());
      if (plain) {
        experts.reference(shape, tokens, valid, chosen, factors, gates, downs, sums, stream);
      } else {
        experts
            .sort(shape, tokens, valid, chosen, Optional.empty(), workspace, stream)
            .add(factors, gates, downs, sums, norm, stream);
      }
    }

    ByteBuffer run(boolean plain) {
      enqueue(plain, 0, rows);
      return DecodeProblem.read(out, stream);
    }

    /**
     * What is added to random numbers, and its norms as bf16 and in FP8, computed at once or one
     * after the other.
     */
    List<ByteBuffer> normed(boolean atOnce) {
      pool.fill(out, 0, out.bytes(), new Random(8), stream);
      int hidden = shape.hidden();
      int padded = (rows + 3) / 4 * 4;
      try (DeviceBuffer gain = filled(2L * hidden, new Random(6));
          DeviceBuffer bfloat16 = context.allocate(2L * rows * hidden);
          DeviceBuffer float8 = context.allocate(Float8Rows.bytes(padded, hidden))) {
        bfloat16.fill(0, bfloat16.bytes(), NAN_BYTE, stream);
        float8.fill(0, float8.bytes(), NAN_BYTE, stream);
        RowNorm norm =
            new RowNorm(
                gain.tensor(ElementType.FLOAT32, hidden),
                1e-6f,
                new GemmRows(
                    Optional.of(bfloat16.tensor(ElementType.BFLOAT16, rows, hidden)),
                    hidden % 16 == 0
                        ? Optional.of(Float8Rows.in(float8, 0, padded, hidden).first(rows))
                        : Optional.empty()));
        enqueue(false, 0, rows, atOnce ? Optional.of(norm) : Optional.empty());
        if (!atOnce) {
          RowOperations.on(context)
              .normalize(
                  out.tensor(ElementType.FLOAT32, rows, hidden),
                  norm.gain(),
                  norm.epsilon(),
                  norm.out(),
                  stream);
        }
        return List.of(
            DecodeProblem.read(out, stream),
            DecodeProblem.read(bfloat16, stream),
            DecodeProblem.read(float8, stream));
      }
    }

    /** Compares with the plain kernel and with a second run. */
    void agrees() {
      ByteBuffer actual = run(false);
      assertThat(run(false)).as("a second run").isEqualTo(actual);
      FloatBuffer a = actual.asFloatBuffer();
      FloatBuffer b = run(true).asFloatBuffer();
      double difference = 0;
      double squares = 0;
      double largest = 0;
      double top = 0;
      for (int i = 0; i < a.capacity(); i++) {
        double delta = (double) a.get(i) - b.get(i);
        difference += delta * delta;
        squares += (double) b.get(i) * b.get(i);
        largest = Math.max(largest, Double.isNaN(delta) ? Double.MAX_VALUE : Math.abs(delta));
        top = Math.max(top, Math.abs(b.get(i)));
      }
      // Each expert's result is rounded to bfloat16, by at most 1/512.
      assertThat(Math.sqrt(difference)).isLessThanOrEqualTo(5e-3 * Math.sqrt(squares));
      assertThat(largest).isLessThanOrEqualTo(top / 64);
    }

    @Override
    public void close() {
      stream.synchronize();
      for (DeviceBuffer buffer :
          new DeviceBuffer[] {x, ids, weights, gateUp, down, out, workspace, validRows}) {
        buffer.close();
      }
    }
  }

  /** Distinct experts for each row, at random. */
  private static IntBinaryOperator distinct(ExpertsShape shape) {
    Random random = new Random(9);
    int[][] current = {{}};
    return (row, place) -> {
      if (place == 0) {
        current[0] = random.ints(0, shape.experts()).distinct().limit(shape.perToken()).toArray();
      }
      return current[0][place];
    };
  }

  /** Distinct experts for each row, the first ones far more often than the last. */
  private static IntBinaryOperator uneven(ExpertsShape shape) {
    Random random = new Random(11);
    int[][] current = {{}};
    return (row, place) -> {
      if (place == 0) {
        current[0] =
            random
                .doubles()
                .mapToInt(drawn -> (int) (shape.experts() * drawn * drawn * drawn))
                .distinct()
                .limit(shape.perToken())
                .toArray();
      }
      return current[0][place];
    };
  }

  @ParameterizedTest(name = "{4} rows, {0} experts, {1} a token, {2} x {3}")
  @CsvSource({
    "8, 2, 64, 32, 1",
    "8, 2, 64, 32, 16",
    "8, 2, 64, 32, 64",
    "8, 2, 64, 32, 256",
    "8, 2, 64, 32, 4096",
    "5, 3, 136, 72, 1",
    "5, 3, 136, 72, 77",
    "5, 3, 136, 72, 500",
    "3, 1, 8, 8, 9",
    "16, 4, 200, 104, 300",
    "384, 8, 256, 128, 3000",
    "512, 8, 256, 128, 50",
    "64, 6, 2048, 1408, 1",
    "64, 6, 2048, 1408, 16",
    "64, 6, 2048, 1408, 64",
    "64, 6, 2048, 1408, 256",
    "64, 6, 2048, 1408, 700",
    "64, 6, 2048, 1408, 4096",
    "64, 4, 2048, 1536, 64",
    "64, 4, 2048, 1536, 1000"
  })
  void agreesWithThePlainKernel(int count, int perToken, int hidden, int width, int rows) {
    ExpertsShape shape = new ExpertsShape(count, perToken, hidden, width);
    try (Problem problem = new Problem(shape, rows, distinct(shape))) {
      problem.agrees();
    }
  }

  /** Rows past the valid ones are normed as they are. */
  @ParameterizedTest(name = "{3} of {2} rows, {0} a token, {1} columns")
  @CsvSource({"6, 2048, 64, 64", "8, 7168, 16, 11", "4, 136, 100, 99", "20, 2056, 7, 7"})
  void normsTheSumAsANormOfItsOwnWould(int perToken, int hidden, int rows, int valid) {
    ExpertsShape shape = new ExpertsShape(32, perToken, hidden, 64);
    try (Problem problem = new Problem(shape, rows, distinct(shape))) {
      problem.setValidRows(valid);
      assertThat(problem.normed(true)).isEqualTo(problem.normed(false));
    }
  }

  @ParameterizedTest(name = "{0} rows")
  @CsvSource({"1", "100", "3000"})
  void oneExpertMayGetEverything(int rows) {
    try (Problem problem =
        new Problem(new ExpertsShape(16, 2, 512, 264), rows, (row, place) -> 3)) {
      problem.agrees();
    }
  }

  /** Counts from none to thousands, in tiles of all sizes. */
  @ParameterizedTest(name = "{4} rows, {0} experts, {1} a token, {2} x {3}")
  @CsvSource({
    "24, 3, 136, 72, 40",
    "24, 3, 136, 72, 600",
    "24, 3, 136, 72, 1200",
    "24, 3, 520, 264, 5000",
    "8, 2, 2056, 136, 700",
    "100, 4, 200, 104, 3333",
    "3, 2, 1024, 512, 2500"
  })
  void someExpertsGetManyRowsAndOthersNone(
      int count, int perToken, int hidden, int width, int rows) {
    ExpertsShape shape = new ExpertsShape(count, perToken, hidden, width);
    try (Problem problem = new Problem(shape, rows, uneven(shape))) {
      problem.agrees();
    }
  }

  /** Where rows of an expert are sorted to is left to chance. */
  @ParameterizedTest(name = "{0} rows")
  @CsvSource({"600", "2048", "8192"})
  void everyRunGivesTheSameBits(int rows) {
    ExpertsShape shape = new ExpertsShape(16, 4, 1024, 264);
    try (Problem problem = new Problem(shape, rows, uneven(shape))) {
      ByteBuffer first = problem.run(false);
      for (int run = 0; run < 30; run++) {
        assertThat(problem.run(false).mismatch(first)).as("run %d", run).isEqualTo(-1);
      }
    }
  }

  @Test
  void idsOutsideTheLayerChooseNoExpert() {
    ExpertsShape shape = new ExpertsShape(16, 2, 256, 128);
    try (Problem problem = new Problem(shape, 300, (row, place) -> row % 20 - 2 + 3 * place)) {
      problem.agrees();
    }
    try (Problem problem = new Problem(shape, 300, (row, place) -> 16 + place)) {
      assertThat(problem.run(false).asFloatBuffer().get(7)).isZero();
    }
  }

  @ParameterizedTest(name = "{0} of {1} rows")
  @CsvSource({"0, 64", "37, 64", "1, 700", "699, 700"})
  void rowsPastTheCountOnTheDeviceAreLeftAlone(int valid, int rows) {
    ExpertsShape shape = new ExpertsShape(16, 4, 256, 128);
    try (Problem problem = new Problem(shape, rows, distinct(shape))) {
      problem.setValidRows(valid);
      problem.agrees();
      FloatBuffer out = problem.run(false).asFloatBuffer();
      for (int i = valid * shape.hidden(); i < out.capacity(); i++) {
        assertThat(out.get(i)).isZero();
      }
    }
  }

  @ParameterizedTest(name = "{0} rows")
  @CsvSource({"16", "256", "900", "3000"})
  void aRowsResultDoesNotDependOnItsBatch(int rows) {
    ExpertsShape shape = new ExpertsShape(32, 6, 512, 264);
    int rowBytes = 4 * shape.hidden();
    try (Problem problem = new Problem(shape, rows, distinct(shape))) {
      ByteBuffer together = problem.run(false);
      problem.setValidRows(1);
      for (int row : new int[] {0, rows / 2, rows - 1}) {
        problem.enqueue(false, row, 1);
        ByteBuffer alone = DecodeProblem.read(problem.out, stream).slice(0, rowBytes);
        assertThat(alone).isEqualTo(together.slice(row * rowBytes, rowBytes));
      }
    }
  }

  @ParameterizedTest(name = "{0} rows")
  @CsvSource({"64", "2000"})
  void aCapturedCallFollowsTheCountOnTheDevice(int rows) {
    ExpertsShape shape = new ExpertsShape(8, 2, 64, 32);
    try (Problem problem = new Problem(shape, rows, distinct(shape))) {
      ByteBuffer all = problem.run(false);
      try (CudaGraph graph = CudaGraph.capture(stream, () -> problem.enqueue(false, 0, rows))) {
        graph.launch(stream);
        assertThat(DecodeProblem.read(problem.out, stream)).isEqualTo(all);
        problem.setValidRows(10);
        graph.launch(stream);
        ByteBuffer some = DecodeProblem.read(problem.out, stream);
        int bytes = 4 * 10 * shape.hidden();
        assertThat(some.slice(0, bytes)).isEqualTo(all.slice(0, bytes));
        assertThat(some.asFloatBuffer().get(10 * shape.hidden())).isZero();
      }
    }
  }
}
