package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ShortBuffer;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GEMMs against double precision on the host, and those of few rows against those of many. */
@Tag("gpu")
class GemmGpuTest {
  @ParameterizedTest(name = "[{0}, {2}] x [{1}, {2}]^T to {3}")
  @CsvSource({
    "1, 8, 8, FLOAT32",
    "5, 24, 40, BFLOAT16",
    "128, 64, 576, FLOAT32",
    "33, 256, 200, BFLOAT16"
  })
  void agreesWithTheHost(int m, int n, int k, ElementType resultType) {
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        RandomPool pool = new RandomPool(context, 5, stream);
        DeviceBuffer a = context.allocate(2L * m * k);
        DeviceBuffer b = context.allocate(2L * n * k);
        DeviceBuffer c = context.allocate((long) resultType.bytes() * m * n);
        Gemm gemm = Gemm.open(context)) {
      assertThat(gemm.description()).startsWith("libcublasLt.so.1");
      Random random = new Random(m);
      pool.fill(a, 0, a.bytes(), random, stream);
      pool.fill(b, 0, b.bytes(), random, stream);
      c.fill(0, c.bytes(), (byte) 0xFF, stream);
      gemm.multiply(
          a.tensor(ElementType.BFLOAT16, m, k),
          b.tensor(ElementType.BFLOAT16, n, k),
          c.tensor(resultType, m, n),
          stream);
      ByteBuffer actual = DecodeProblem.read(c, stream);
      ShortBuffer left = DecodeProblem.read(a, stream).asShortBuffer();
      ShortBuffer right = DecodeProblem.read(b, stream).asShortBuffer();
      for (int row = 0; row < m; row++) {
        for (int column = 0; column < n; column++) {
          double expected = 0;
          for (int i = 0; i < k; i++) {
            expected +=
                (double) RandomPool.fromBfloat16(left.get(row * k + i))
                    * RandomPool.fromBfloat16(right.get(column * k + i));
          }
          int at = row * n + column;
          double value =
              resultType == ElementType.FLOAT32
                  ? actual.getFloat(4 * at)
                  : RandomPool.fromBfloat16(actual.getShort(2 * at));
          double tolerance = resultType == ElementType.FLOAT32 ? 1e-5 : Math.abs(expected) / 128;
          assertThat(Math.abs(value - expected)).isLessThanOrEqualTo(tolerance + 1e-5);
        }
      }
      assertThatThrownBy(
              () ->
                  gemm.multiply(
                      a.tensor(ElementType.BFLOAT16, m, k),
                      b.tensor(ElementType.BFLOAT16, n, k),
                      c.tensor(resultType, (long) m * n),
                      stream))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("c must have the shape");
    }
  }

  @ParameterizedTest(name = "[m, {1}] x [{0}, {1}]^T")
  @CsvSource({"3648, 2048", "2048, 2816", "64, 2048", "4096, 512", "120, 40"})
  void aRowsResultDoesNotDependOnTheNumberOfRows(int n, int k) {
    int most = 5000;
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        RandomPool pool = new RandomPool(context, 5, stream);
        DeviceBuffer a = context.allocate(2L * most * k);
        DeviceBuffer b = context.allocate(2L * n * k);
        DeviceBuffer c = context.allocate(4L * most * n);
        Gemm gemm = Gemm.open(context)) {
      Random random = new Random(n);
      pool.fill(a, 0, a.bytes(), random, stream);
      pool.fill(b, 0, b.bytes(), random, stream);
      ByteBuffer alone = null;
      for (int m : new int[] {1, 2, 17, 33, 100, 200, 500, 1000, 2000, most}) {
        gemm.multiply(
            a.tensor(ElementType.BFLOAT16, m, k),
            b.tensor(ElementType.BFLOAT16, n, k),
            c.tensor(ElementType.FLOAT32, m, n),
            stream);
        ByteBuffer first = ByteBuffer.allocateDirect(4 * n);
        c.copyToHost(0, first, stream);
        if (alone == null) {
          alone = first;
        }
        assertThat(first).as("the first of %d rows", m).isEqualTo(alone);
      }
    }
  }

  @ParameterizedTest(name = "[m, {1}] x [{0}, {1}]^T")
  @CsvSource({
    "3648, 2048",
    "2048, 5120",
    "5120, 768",
    "1344, 2048",
    "2048, 1408",
    "3072, 2048",
    "4104, 320",
    "120, 192",
    "64, 2048",
    "200, 128",
    "24, 64"
  })
  void fewRowsHaveTheBitsOfMany(int n, int k) {
    try (Problem problem = new Problem(1, n, k, false)) {
      for (int m : FEW) {
        for (ElementType type : new ElementType[] {ElementType.FLOAT32, ElementType.BFLOAT16}) {
          assertThat(problem.multiply(m, type))
              .as("%d rows as %s", m, type)
              .isEqualTo(problem.multiply(MANY, type).limit(m * n * type.bytes()));
        }
        assertThat(problem.multiplyAdd(m))
            .as("%d rows added", m)
            .isEqualTo(problem.multiplyAdd(MANY).limit(m * n * 4));
      }
    }
  }

  @ParameterizedTest(name = "{0} heads, [m, {2}] x [{1}, {2}]^T, transposed: {3}")
  @CsvSource({
    "16, 512, 128, true",
    "20, 512, 192, true",
    "3, 40, 192, true",
    "16, 128, 512, false",
    "20, 256, 512, false",
    "3, 40, 192, false"
  })
  void fewRowsOfHeadsHaveTheBitsOfMany(int heads, int n, int k, boolean transposed) {
    try (Problem problem = new Problem(heads, n, k, transposed)) {
      ByteBuffer many = problem.multiply(MANY, ElementType.BFLOAT16);
      for (int m : FEW) {
        assertThat(problem.multiply(m, ElementType.BFLOAT16))
            .as("%d rows", m)
            .isEqualTo(many.duplicate().limit(m * heads * n * 2));
      }
    }
  }

  private static final int[] FEW = {1, 5, 16, 17, Gemm.FEW_ROWS - 1, Gemm.FEW_ROWS};

  /** More than the own kernel takes. */
  private static final int MANY = 130;

  /** Rows and weights of a GEMM, of one head or several. */
  private static final class Problem implements AutoCloseable {
    private final int heads;
    private final int n;
    private final int k;
    private final boolean transposed;
    private final CudaContext context = CudaContext.open(GpuDevice.at(0));
    private final CudaStream stream = context.newStream();
    private final Gemm gemm = Gemm.open(context);
    private final DeviceBuffer a;
    private final DeviceBuffer b;
    private final DeviceBuffer c;

    Problem(int heads, int n, int k, boolean transposed) {
      this.heads = heads;
      this.n = n;
      this.k = k;
      this.transposed = transposed;
      a = context.allocate(2L * MANY * heads * k);
      b = context.allocate(2L * heads * n * k);
      c = context.allocate(4L * MANY * heads * n);
      try (RandomPool pool = new RandomPool(context, 5, stream)) {
        Random random = new Random(n + k);
        pool.fill(a, 0, a.bytes(), random, stream);
        pool.fill(b, 0, b.bytes(), random, stream);
        stream.synchronize();
      }
    }

    /** c[m, heads, n], on the host. */
    ByteBuffer multiply(int m, ElementType type) {
      c.fill(0, c.bytes(), (byte) 0xFF, stream);
      if (heads == 1 && !transposed) {
        gemm.multiply(rows(m), weights(), c.tensor(type, m, n), stream);
      } else {
        gemm.multiplyHeads(
            a.tensor(ElementType.BFLOAT16, m, heads, k),
            b.tensor(ElementType.BFLOAT16, heads, transposed ? k : n, transposed ? n : k),
            transposed,
            c.tensor(type, m, heads, n),
            stream);
      }
      return result(m, type);
    }

    /** The same, added to numbers that are all the same. */
    ByteBuffer multiplyAdd(int m) {
      c.fill(0, c.bytes(), (byte) 0x3E, stream);
      gemm.multiplyAdd(rows(m), weights(), c.tensor(ElementType.FLOAT32, m, n), stream);
      return result(m, ElementType.FLOAT32);
    }

    private DeviceTensor rows(int m) {
      return a.tensor(ElementType.BFLOAT16, m, k);
    }

    private DeviceTensor weights() {
      return b.tensor(ElementType.BFLOAT16, n, k);
    }

    private ByteBuffer result(int m, ElementType type) {
      ByteBuffer result = ByteBuffer.allocateDirect(m * heads * n * type.bytes());
      c.copyToHost(0, result, stream);
      return result;
    }

    @Override
    public void close() {
      stream.synchronize();
      c.close();
      b.close();
      a.close();
      gemm.close();
      stream.close();
      context.close();
    }
  }
}
