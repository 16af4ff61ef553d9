package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ShortBuffer;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GEMMs through cuBLASLt against double precision on the host. */
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
}
