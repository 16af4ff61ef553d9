package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** FP8 GEMMs, experts and conversions against double precision on the same quantized values. */
class Float8GpuTest extends GpuFixture {
  private Float8Operations operations;
  private Gemm library;
  private Float8Gemm gemm;
  private final List<DeviceBuffer> buffers = new ArrayList<>();

  @BeforeEach
  void open() {
    operations = Float8Operations.on(context);
    library = Gemm.open(context);
    gemm = Float8Gemm.on(context, library);
  }

  @AfterEach
  void closeBuffers() {
    stream.synchronize();
    buffers.forEach(DeviceBuffer::close);
    buffers.clear();
    library.close();
  }

  private DeviceBuffer allocate(long bytes) {
    DeviceBuffer buffer = context.allocate(bytes);
    buffers.add(buffer);
    return buffer;
  }

  /** A buffer of random bfloat16 values as a matrix. */
  private DeviceTensor activations(int m, int k, Random random) {
    DeviceBuffer buffer = allocate(2L * m * k);
    pool.fill(buffer, 0, buffer.bytes(), random, stream);
    return buffer.tensor(ElementType.BFLOAT16, m, k);
  }

  /** Random weights and what they stand for, by row. */
  private final class Weights {
    final Float8Weights onDevice;
    final double[][] rows;

    /** Matrices of parts times n rows, each part with blocks of its own, one after the other. */
    Weights(int matrices, int parts, int n, int k, Float8Scaling scaling, Random random) {
      int all = matrices * parts * n;
      int scaleColumns = (int) Float8Weights.scaleColumns(k);
      int rowBlocks = (int) Float8Weights.blocks(n);
      int scaleCount =
          switch (scaling) {
            case BLOCK -> matrices * parts * rowBlocks * scaleColumns;
            case CHANNEL -> all;
          };
      ByteBuffer values = ByteBuffer.allocateDirect(all * k);
      ByteBuffer scales = ByteBuffer.allocateDirect(4 * scaleCount).order(ByteOrder.nativeOrder());
      for (int i = 0; i < scaleCount; i++) {
        scales.putFloat(4 * i, 1e-4f + 1e-3f * random.nextFloat());
      }
      rows = new double[all][k];
      for (int row = 0; row < all; row++) {
        int part = row / n;
        for (int column = 0; column < k; column++) {
          byte bits = (byte) random.nextInt(256);
          if ((bits & 127) == 127) {
            bits = 0;
          }
          values.put(row * k + column, bits);
          int scale =
              switch (scaling) {
                case BLOCK -> (part * rowBlocks + row % n / 128) * scaleColumns + column / 128;
                case CHANNEL -> row;
              };
          rows[row][column] = (double) Float8Values.decode(bits) * scales.getFloat(4 * scale);
        }
      }
      DeviceBuffer valueBuffer = allocate(values.capacity());
      DeviceBuffer scaleBuffer = allocate(scales.capacity());
      valueBuffer.copyFromHost(0, values, stream);
      scaleBuffer.copyFromHost(0, scales, stream);
      boolean one = matrices == 1 && parts == 1;
      long allRows = (long) parts * n;
      DeviceTensor valueTensor =
          one
              ? valueBuffer.tensor(ElementType.FLOAT8_E4M3, n, k)
              : valueBuffer.tensor(ElementType.FLOAT8_E4M3, matrices, allRows, k);
      long blockRows = (long) parts * rowBlocks;
      DeviceTensor scaleTensor =
          switch (scaling) {
            case BLOCK ->
                one
                    ? scaleBuffer.tensor(ElementType.FLOAT32, rowBlocks, scaleColumns)
                    : scaleBuffer.tensor(ElementType.FLOAT32, matrices, blockRows, scaleColumns);
            case CHANNEL ->
                one
                    ? scaleBuffer.tensor(ElementType.FLOAT32, n)
                    : scaleBuffer.tensor(ElementType.FLOAT32, matrices, allRows);
          };
      onDevice = new Float8Weights(valueTensor, scaleTensor, scaling);
      stream.synchronize();
    }
  }

  private Float8Rows quantized(DeviceTensor in) {
    long m = in.dimension(0);
    long k = in.dimension(1);
    Float8Rows rows = Float8Rows.in(allocate(Float8Rows.bytes(m, k)), 0, m, k);
    operations.quantize(in, rows, stream);
    return rows;
  }

  /** What quantized rows stand for. */
  private double[][] read(Float8Rows rows) {
    int m = (int) rows.values().dimension(0);
    int k = (int) rows.values().dimension(1);
    ByteBuffer memory = DecodeProblem.read(rows.values().buffer(), stream);
    int scalesAt = (int) (rows.scales().address() - rows.values().address());
    double[][] result = new double[m][k];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < k; j++) {
        long scale = j / Float8Weights.BLOCK * rows.scales().stride(0) + i;
        result[i][j] =
            (double) Float8Values.decode(memory.get(i * k + j))
                * memory.getFloat(scalesAt + 4 * (int) scale);
      }
    }
    return result;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** Requires that the norm of the difference is a small part of the norm. */
  private static void assertClose(FloatBuffer actual, double[][] expected, double part) {
    double difference = 0;
    double squares = 0;
    int at = 0;
    for (double[] row : expected) {
      for (double value : row) {
        double delta = actual.get(at++) - value;
        difference += delta * delta;
        squares += value * value;
      }
    }
    assertThat(Math.sqrt(difference)).isLessThanOrEqualTo(part * Math.sqrt(squares));
  }

  @ParameterizedTest(name = "[{0}, {1}]")
  @CsvSource({"1, 16", "5, 144", "33, 2048", "7, 1408"})
  void quantizesToTheNearestValues(int m, int k) {
    DeviceTensor in = activations(m, k, new Random(k));
    in.buffer().fill(0, 2L * Math.min(k, 128), (byte) 0, stream);
    double[][] actual = read(quantized(in));
    ByteBuffer given = DecodeProblem.read(in.buffer(), stream);
    for (int i = 0; i < m; i++) {
      double[] row = new double[k];
      for (int j = 0; j < k; j++) {
        row[j] = RandomPool.fromBfloat16(given.getShort(2 * (i * k + j)));
      }
      double[] exact = row.clone();
      Float8Values.quantize(row);
      for (int j = 0; j < k; j++) {
        // The device multiplies by a reciprocal: a tie may fall on the other side.
        double allowed = Math.abs(row[j] - exact[j]) * 1.001 + 1e-7;
        assertThat(Math.abs(actual[i][j] - exact[j])).isLessThanOrEqualTo(allowed);
      }
    }
  }

  /** Rows in 8 bits that an operation has written are those that it writes as bf16, quantized. */
  private void assertQuantizes(int m, int k, Consumer<GemmRows> operation) {
    DeviceTensor bfloat16 = allocate(2L * m * k).tensor(ElementType.BFLOAT16, m, k);
    operation.accept(GemmRows.of(bfloat16));
    Float8Rows expected = quantized(bfloat16);
    DeviceTensor beside = allocate(2L * m * k).tensor(ElementType.BFLOAT16, m, k);
    for (Optional<DeviceTensor> also :
        List.of(Optional.of(beside), Optional.<DeviceTensor>empty())) {
      Float8Rows found = Float8Rows.in(allocate(Float8Rows.bytes(m, k)), 0, m, k);
      found.values().buffer().fill(0, found.values().buffer().bytes(), (byte) 0xFF, stream);
      operation.accept(new GemmRows(also, Optional.of(found)));
      assertThat(read(found)).isDeepEqualTo(read(expected));
    }
    assertSameBits(beside, bfloat16);
  }

  @ParameterizedTest(name = "[{0}, {1}]")
  @CsvSource({"1, 16", "5, 144", "33, 2048", "7, 1408", "3, 7168"})
  void normQuantizesWhatItWrites(int m, int k) {
    Random random = new Random(m);
    DeviceTensor in = activations(m, k, random);
    DeviceBuffer gain = allocate(4L * k);
    gain.fill(0, gain.bytes(), (byte) 0x3E, stream);
    RowOperations rows = RowOperations.on(context);
    assertQuantizes(
        m, k, out -> rows.normalize(in, gain.tensor(ElementType.FLOAT32, k), 1e-6f, out, stream));
  }

  @ParameterizedTest(name = "[{0}, {1}]")
  @CsvSource({"1, 16", "5, 144", "33, 2816", "300, 10944"})
  void gateQuantizesWhatItWrites(int m, int k) {
    DeviceTensor gateUp = activations(m, 2 * k, new Random(m));
    RowOperations rows = RowOperations.on(context);
    assertQuantizes(m, k, out -> rows.gate(gateUp, out, stream));
  }

  @ParameterizedTest(name = "[{0}, {1}] by {2}")
  @CsvSource({"8, 16, BLOCK", "200, 272, BLOCK", "136, 128, CHANNEL"})
  void dequantizes(int n, int k, Float8Scaling scaling) {
    Weights weights = new Weights(1, 1, n, k, scaling, new Random(n));
    DeviceBuffer out = allocate(2L * n * k);
    operations.dequantize(weights.onDevice, out.tensor(ElementType.BFLOAT16, n, k), stream);
    ByteBuffer actual = DecodeProblem.read(out, stream);
    for (int i = 0; i < n * k; i++) {
      double expected = weights.rows[i / k][i % k];
      assertThat(Math.abs(RandomPool.fromBfloat16(actual.getShort(2 * i)) - expected))
          .isLessThanOrEqualTo(Math.abs(expected) / 256);
    }
  }

  @ParameterizedTest(name = "[{0}, {2}] x [{1}, {2}]^T by {3}")
  @CsvSource({
    "1, 8, 16, BLOCK",
    "17, 72, 144, BLOCK",
    "33, 576, 1408, BLOCK",
    "300, 200, 272, BLOCK",
    "64, 136, 640, CHANNEL",
    "700, 576, 384, CHANNEL"
  })
  void multiplies(int m, int n, int k, Float8Scaling scaling) {
    Random random = new Random(m + n);
    Float8Rows a = quantized(activations(m, k, random));
    Weights b = new Weights(1, 1, n, k, scaling, random);
    DeviceTensor c = allocate(4L * m * n).tensor(ElementType.FLOAT32, m, n);
    c.buffer().fill(0, c.buffer().bytes(), (byte) 0xFF, stream);
    gemm.multiply(a, b.onDevice, c, stream);
    double[][] left = read(a);
    double[][] expected = new double[m][n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        expected[i][j] = dot(left[i], b.rows[j]);
      }
    }
    FloatBuffer once = DecodeProblem.read(c.buffer(), stream).asFloatBuffer();
    // Tensor cores keep about 14 bits of a sum of 128 columns.
    assertClose(once, expected, 1e-3);
    DeviceTensor rounded = allocate(2L * m * n).tensor(ElementType.BFLOAT16, m, n);
    gemm.multiply(a, b.onDevice, rounded, stream);
    gemm.multiplyAdd(a, b.onDevice, c, stream);
    ByteBuffer bits = DecodeProblem.read(rounded.buffer(), stream);
    FloatBuffer twice = DecodeProblem.read(c.buffer(), stream).asFloatBuffer();
    for (int i = 0; i < m * n; i++) {
      assertThat(bits.getShort(2 * i)).isEqualTo(RandomPool.toBfloat16(once.get(i)));
      assertThat(twice.get(i)).isEqualTo(2 * once.get(i));
    }
  }

  @ParameterizedTest(name = "[m, {1}] x [{0}, {1}]^T")
  @CsvSource({"3648, 2048", "2048, 1408", "64, 2048", "576, 640", "36864, 512"})
  void aRowsResultDoesNotDependOnTheNumberOfRows(int n, int k) {
    int most = 3000;
    Random random = new Random(n);
    DeviceTensor rows = activations(most, k, random);
    DeviceBuffer values = allocate((long) n * k);
    pool.fill(values, 0, values.bytes(), random, stream);
    DeviceBuffer scales = allocate(4L * n);
    scales.fill(0, scales.bytes(), (byte) 0x3B, stream);
    Float8Weights weights =
        new Float8Weights(
            values.tensor(ElementType.FLOAT8_E4M3, n, k),
            scales.tensor(
                ElementType.FLOAT32, Float8Weights.blocks(n), Float8Weights.scaleColumns(k)),
            Float8Scaling.BLOCK);
    DeviceBuffer c = allocate(4L * most * n);
    ByteBuffer alone = null;
    for (int m : new int[] {1, 2, 16, 17, 64, 100, 500, 1000, most}) {
      DeviceTensor some = DeviceTensor.of(rows.buffer(), 0, ElementType.BFLOAT16, m, k);
      gemm.multiply(quantized(some), weights, c.tensor(ElementType.FLOAT32, m, n), stream);
      ByteBuffer first = ByteBuffer.allocateDirect(4 * n);
      c.copyToHost(0, first, stream);
      if (alone == null) {
        alone = first;
      }
      assertThat(first).as("the first of %d rows", m).isEqualTo(alone);
    }
  }

  /** Which of the two computes a row depends on the other rows: no bit may. */
  @ParameterizedTest(name = "[{2}, {1}] x [{0}, {1}]^T")
  @CsvSource({
    "3648, 2048, 1024",
    "3648, 2048, 8192",
    "2048, 2048, 1028",
    "5632, 2048, 4096",
    "21888, 2048, 3000",
    "2048, 5120, 4096",
    "576, 2048, 2048",
    "2112, 7168, 2052",
    "24576, 1536, 1024",
    "7168, 16384, 1024",
    "4096, 512, 16384",
    "2048, 10944, 1024",
    "2048, 1408, 260",
    "5120, 768, 4096",
    "576, 144, 256",
    "136, 2064, 1024"
  })
  void theLibraryRoundsAsTheKernelDoes(int n, int k, int m) {
    Random random = new Random(n + k);
    Float8Rows rows = quantized(activations(m, k, random));
    Float8Weights weights = randomWeights(n, k, random);
    Float8Gemm own = Float8Gemm.on(context, library, Integer.MAX_VALUE);
    for (ElementType type : List.of(ElementType.FLOAT32, ElementType.BFLOAT16)) {
      DeviceTensor expected = allocate((long) m * n * type.bytes()).tensor(type, m, n);
      DeviceTensor found = allocate((long) m * n * type.bytes()).tensor(type, m, n);
      own.multiply(rows, weights, expected, stream);
      assertThat(library.multiplyFloat8(rows, weights, found, false, stream)).isTrue();
      assertSameBits(found, expected);
      if (type == ElementType.FLOAT32) {
        own.multiplyAdd(rows, weights, expected, stream);
        assertThat(library.multiplyFloat8(rows, weights, found, true, stream)).isTrue();
        assertSameBits(found, expected);
      }
    }
  }

  /** Whatever computes a row, what it is added to is added once, to the whole result. */
  @ParameterizedTest(name = "[{0}, {2}] x [{1}, {2}]^T by {3}")
  @CsvSource({
    "1, 2048, 2048, BLOCK",
    "17, 72, 144, BLOCK",
    "64, 2048, 2816, BLOCK",
    "130, 576, 1408, BLOCK",
    "260, 2048, 512, BLOCK",
    "1000, 136, 2064, BLOCK",
    "3001, 200, 640, BLOCK",
    "4096, 2048, 2048, BLOCK",
    "40, 136, 640, CHANNEL",
    "700, 576, 384, CHANNEL"
  })
  void addingIsOneAddition(int m, int n, int k, Float8Scaling scaling) {
    Random random = new Random(m + n);
    Float8Rows rows = quantized(activations(m, k, random));
    Float8Weights weights =
        switch (scaling) {
          case BLOCK -> randomWeights(n, k, random);
          case CHANNEL -> new Weights(1, 1, n, k, scaling, random).onDevice;
        };
    DeviceTensor product = allocate(4L * m * n).tensor(ElementType.FLOAT32, m, n);
    gemm.multiply(rows, weights, product, stream);
    ByteBuffer before = ByteBuffer.allocateDirect(4 * m * n).order(ByteOrder.nativeOrder());
    for (int i = 0; i < m * n; i++) {
      before.putFloat(4 * i, 2 * random.nextFloat() - 1);
    }
    DeviceTensor sum = allocate(4L * m * n).tensor(ElementType.FLOAT32, m, n);
    sum.buffer().copyFromHost(0, before, stream);
    gemm.multiplyAdd(rows, weights, sum, stream);
    ByteBuffer expected = DecodeProblem.read(product.buffer(), stream);
    for (int i = 0; i < m * n; i++) {
      expected.putFloat(4 * i, before.getFloat(4 * i) + expected.getFloat(4 * i));
    }
    assertThat(DecodeProblem.read(sum.buffer(), stream).mismatch(expected)).isEqualTo(-1);
  }

  private void assertSameBits(DeviceTensor found, DeviceTensor expected) {
    long bytes = found.dimension(0) * found.dimension(1) * found.type().bytes();
    ByteBuffer first = ByteBuffer.allocateDirect((int) bytes);
    ByteBuffer second = ByteBuffer.allocateDirect((int) bytes);
    found.buffer().copyToHost(0, first, stream);
    expected.buffer().copyToHost(0, second, stream);
    assertThat(first.mismatch(second)).as("the first byte that differs of %s", found).isEqualTo(-1);
  }

  /** Numbers of all sizes, and scales that differ by up to three times. */
  private Float8Weights randomWeights(int n, int k, Random random) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(n * k);
    while (bytes.hasRemaining()) {
      int bits = random.nextInt(256);
      bytes.put((byte) ((bits & 0x7f) == 0x7f ? 0 : bits));
    }
    int count = (int) (Float8Weights.blocks(n) * Float8Weights.scaleColumns(k));
    ByteBuffer factors = ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder());
    for (int i = 0; i < count; i++) {
      factors.putFloat(4 * i, 1e-3f * (0.5f + random.nextFloat()));
    }
    DeviceBuffer values = allocate(bytes.capacity());
    values.copyFromHost(0, bytes.flip(), stream);
    DeviceBuffer scales = allocate(factors.capacity());
    scales.copyFromHost(0, factors, stream);
    return new Float8Weights(
        values.tensor(ElementType.FLOAT8_E4M3, n, k),
        scales.tensor(ElementType.FLOAT32, Float8Weights.blocks(n), Float8Weights.scaleColumns(k)),
        Float8Scaling.BLOCK);
  }

  @ParameterizedTest(name = "{4} rows, {0} experts, {1} a token, {2} x {3} by {5}")
  @CsvSource({
    "8, 2, 64, 32, 1, BLOCK",
    "5, 3, 144, 80, 77, BLOCK",
    "4, 2, 272, 144, 300, BLOCK",
    "4, 2, 272, 144, 1000, BLOCK",
    "5, 3, 144, 80, 77, CHANNEL",
    "4, 2, 272, 144, 1000, CHANNEL"
  })
  void expertsAgreeWithTheHost(
      int count, int perToken, int hidden, int width, int rows, Float8Scaling scaling) {
    ExpertsShape shape = new ExpertsShape(count, perToken, hidden, width);
    Random random = new Random(rows);
    DeviceTensor x = activations(rows, hidden, random);
    Weights gateUp = new Weights(count, 2, width, hidden, scaling, random);
    Weights down = new Weights(count, 1, hidden, width, scaling, random);
    int[] ids = new int[rows * perToken];
    ByteBuffer weights = ByteBuffer.allocateDirect(4 * ids.length).order(ByteOrder.nativeOrder());
    for (int i = 0; i < ids.length; i++) {
      // One expert gets nothing.
      ids[i] = (random.nextInt(count - 1) + 1) % count;
      weights.putFloat(4 * i, 0.1f + random.nextFloat());
    }
    DeviceBuffer idBuffer = allocate(4L * ids.length);
    DecodeProblem.write(idBuffer, ids, stream);
    DeviceBuffer weightBuffer = allocate(4L * ids.length);
    weightBuffer.copyFromHost(0, weights, stream);
    Layer layer = new Layer(shape, x, idBuffer, weightBuffer, gateUp.onDevice, down.onDevice);
    ByteBuffer together = layer.run(rows);
    double[][] tokens = read(quantized(x));
    double[][] expected = new double[rows][hidden];
    for (int i = 0; i < ids.length; i++) {
      double[] activated = new double[width];
      for (int j = 0; j < width; j++) {
        double gate = dot(tokens[i / perToken], gateUp.rows[2 * ids[i] * width + j]);
        double up = dot(tokens[i / perToken], gateUp.rows[(2 * ids[i] + 1) * width + j]);
        activated[j] = gate / (1 + Math.exp(-gate)) * up;
      }
      Float8Values.quantize(activated);
      for (int j = 0; j < hidden; j++) {
        expected[i / perToken][j] +=
            weights.getFloat(4 * i) * dot(activated, down.rows[ids[i] * hidden + j]);
      }
    }
    assertClose(together.asFloatBuffer(), expected, 1e-2);
    assertThat(layer.run(1)).isEqualTo(together.slice(0, 4 * hidden));
  }

  /** Counts from none to thousands: tiles of all sizes. */
  @ParameterizedTest(name = "{4} rows, {0} experts, {1} a token, {2} x {3}")
  @CsvSource({
    "16, 4, 1040, 272, 40",
    "16, 4, 1040, 272, 300",
    "16, 4, 1040, 272, 2048",
    "8, 2, 2048, 1408, 3000",
    "64, 6, 512, 400, 6000"
  })
  void everyRunGivesTheSameBits(int count, int perToken, int hidden, int width, int rows) {
    ExpertsShape shape = new ExpertsShape(count, perToken, hidden, width);
    Random random = new Random(rows);
    DeviceTensor x = activations(rows, hidden, random);
    Float8Weights gateUp = randomExperts(count, 2, width, hidden, random);
    Float8Weights down = randomExperts(count, 1, hidden, width, random);
    int[] ids = new int[rows * perToken];
    ByteBuffer weights = ByteBuffer.allocateDirect(4 * ids.length).order(ByteOrder.nativeOrder());
    for (int i = 0; i < ids.length; i++) {
      ids[i] = (int) (count * Math.pow(random.nextDouble(), 3));
      weights.putFloat(4 * i, 0.1f + random.nextFloat());
    }
    DeviceBuffer idBuffer = allocate(4L * ids.length);
    DecodeProblem.write(idBuffer, ids, stream);
    DeviceBuffer weightBuffer = allocate(4L * ids.length);
    weightBuffer.copyFromHost(0, weights, stream);
    Layer layer = new Layer(shape, x, idBuffer, weightBuffer, gateUp, down);
    ByteBuffer first = layer.run(rows);
    for (int run = 0; run < 20; run++) {
      assertThat(layer.run(rows).mismatch(first)).as("run %d", run).isEqualTo(-1);
    }
    for (int some : new int[] {1, 17, rows / 3}) {
      ByteBuffer alone = layer.run(some);
      ByteBuffer together = first.slice(0, alone.capacity());
      assertThat(alone.mismatch(together)).as("%d rows", some).isEqualTo(-1);
    }
  }

  /** Experts' matrices of parts times n rows, as {@link #randomWeights}. */
  private Float8Weights randomExperts(int count, int parts, int n, int k, Random random) {
    long rows = (long) parts * n;
    long blocks = parts * Float8Weights.blocks(n);
    // More rows of scales than there are, where n is not a multiple of a block.
    Float8Weights flat = randomWeights((int) (count * blocks * Float8Weights.BLOCK), k, random);
    return new Float8Weights(
        flat.values().buffer().tensor(ElementType.FLOAT8_E4M3, count, rows, k),
        flat.scales()
            .buffer()
            .tensor(ElementType.FLOAT32, count, blocks, Float8Weights.scaleColumns(k)),
        Float8Scaling.BLOCK);
  }

  /** A layer of experts and the rows that it may be run on. */
  private final class Layer {
    private final ExpertsShape shape;
    private final DeviceTensor x;
    private final DeviceBuffer ids;
    private final DeviceBuffer weights;
    private final Float8Weights gateUp;
    private final Float8Weights down;
    private final DeviceBuffer workspace;
    private final DeviceBuffer out;

    Layer(
        ExpertsShape shape,
        DeviceTensor x,
        DeviceBuffer ids,
        DeviceBuffer weights,
        Float8Weights gateUp,
        Float8Weights down) {
      this.shape = shape;
      this.x = x;
      this.ids = ids;
      this.weights = weights;
      this.gateUp = gateUp;
      this.down = down;
      int rows = (int) x.dimension(0);
      workspace = allocate(Experts.on(context).workspaceBytes(shape, rows));
      out = allocate(4L * rows * shape.hidden());
    }

    /** What the first {@code rows} rows get. The workspace is NaN before. */
    ByteBuffer run(int rows) {
      workspace.fill(0, workspace.bytes(), (byte) 0xFF, stream);
      out.fill(0, out.bytes(), (byte) 0, stream);
      Experts.on(context)
          .sort(
              shape,
              DeviceTensor.of(x.buffer(), 0, ElementType.BFLOAT16, rows, shape.hidden()),
              Optional.empty(),
              ids.tensor(ElementType.INT32, rows, shape.perToken()),
              Optional.of(gateUp.scaling()),
              workspace,
              stream)
          .add(
              weights.tensor(ElementType.FLOAT32, rows, shape.perToken()),
              gateUp,
              down,
              out.tensor(ElementType.FLOAT32, rows, shape.hidden()),
              Optional.empty(),
              stream);
      ByteBuffer sums = ByteBuffer.allocateDirect(4 * rows * shape.hidden());
      out.copyToHost(0, sums.order(ByteOrder.nativeOrder()), stream);
      return sums;
    }
  }
}
