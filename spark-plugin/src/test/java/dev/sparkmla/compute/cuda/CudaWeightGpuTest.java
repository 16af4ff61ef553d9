package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.GpuDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How weights arrive on the device. */
@Tag("gpu")
class CudaWeightGpuTest {
  private ComputeBackend backend;

  @BeforeEach
  void open() {
    backend = ComputeBackends.cuda(GpuDevice.at(0));
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private float[][] rows(Weight table, int... ids) {
    try (StepPlan plan = backend.plan(List.of(Segments.prompt(ids, 0, new int[] {0})));
        Activation rows = backend.allocate(ids.length, table.columns(), Precision.FLOAT32)) {
      backend.embed(table, 1, plan, rows);
      return backend.read(rows);
    }
  }

  private static ByteBuffer filled(int bytes, float value) {
    ByteBuffer window = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (window.hasRemaining()) {
      window.putShort((short) (Float.floatToRawIntBits(value) >> 16));
    }
    return window.flip();
  }

  /** 2.3 GB, of which the last row alone holds another number. */
  @Test
  void aTensorPastTwoGigabytesArrivesWhole() {
    int columns = 1 << 14;
    int rows = 70_000;
    int rowBytes = 2 * columns;
    List<ByteBuffer> windows = new ArrayList<>(Collections.nCopies(rows - 1, filled(rowBytes, 1)));
    windows.add(filled(rowBytes, 2));
    MatrixSource source =
        MatrixSource.of(new Tensor("large", DataType.BF16, List.of(rows, columns), windows));

    try (Weight large = backend.uploadMatrix(source)) {
      float[][] read = rows(large, 0, 65_535, rows - 2, rows - 1);
      assertThat(read[0]).containsOnly(1f);
      assertThat(read[1]).containsOnly(1f);
      assertThat(read[2]).containsOnly(1f);
      assertThat(read[3]).containsOnly(2f);
    }
  }

  /**
   * Weights in 8 bits against the processor, which does not quantize what they are multiplied by.
   */
  @Test
  void fusedMatricesOfEightBitsAreMultipliedInTheirFormats() {
    List<MatrixSource> parts =
        List.of(
            RandomTensors.matrix("a", 304, 208, WeightFormat.FLOAT8_BLOCKS, 0.1f, 1),
            RandomTensors.matrix("b", 136, 208, WeightFormat.FLOAT8_BLOCKS, 0.1f, 2),
            RandomTensors.matrix("c", 16, 208, WeightFormat.BFLOAT16, 0.1f, 3),
            RandomTensors.matrix("d", 24, 208, WeightFormat.FLOAT8_ROWS, 0.1f, 4),
            RandomTensors.matrix("e", 40, 208, WeightFormat.FLOAT8_ROWS, 0.1f, 5));
    try (ComputeBackend processor = ComputeBackends.cpu(2);
        Weight fused = backend.uploadLinear(parts)) {
      assertThat(fused.ranges())
          .containsExactly(
              new Weight.RowRange(0, 304, WeightFormat.FLOAT8_BLOCKS),
              new Weight.RowRange(304, 136, WeightFormat.FLOAT8_BLOCKS),
              new Weight.RowRange(440, 16, WeightFormat.BFLOAT16),
              new Weight.RowRange(456, 64, WeightFormat.FLOAT8_ROWS));
      for (int tokens : new int[] {1, 70, 300}) {
        float[][] expected = multiplied(processor, parts, tokens);
        float[][] found = multiplied(backend, parts, tokens);
        double largest = 0;
        double difference = 0;
        for (int row = 0; row < tokens; row++) {
          for (int i = 0; i < fused.rows(); i++) {
            largest = Math.max(largest, Math.abs(expected[row][i]));
            difference = Math.max(difference, Math.abs(expected[row][i] - found[row][i]));
          }
        }
        assertThat(difference / largest).as("%d tokens", tokens).isLessThan(6e-2);
      }
    }
  }

  /** Twice a GEMM, once added, over rows of a table in 8 bits that is held in bf16. */
  private static float[][] multiplied(
      ComputeBackend backend, List<MatrixSource> parts, int tokens) {
    MatrixSource rows = RandomTensors.matrix("t", 320, 208, WeightFormat.FLOAT8_BLOCKS, 1, 9);
    int[] ids = new Random(tokens).ints(tokens, 0, 320).toArray();
    try (Weight table = backend.uploadMatrix(rows);
        Weight weight = backend.uploadLinear(parts);
        WeightVector gain = RandomTensors.uploadVector(backend, 208, 1, 0.3f, 1);
        StepPlan plan =
            backend.plan(List.of(Segments.prompt(ids, 0, IntStream.range(0, 5).toArray())));
        Activation stream = backend.allocate(tokens, 208, Precision.FLOAT32);
        Activation input = backend.allocate(tokens, 208, Precision.BFLOAT16);
        Activation out = backend.allocate(tokens, weight.rows(), Precision.FLOAT32)) {
      backend.embed(table, 1, plan, stream);
      backend.normalize(stream, gain, 1e-6f, input);
      backend.linear(input, weight, Optional.empty(), out);
      backend.linearAdd(input, weight, Optional.empty(), out);
      return backend.read(out);
    }
  }

  /** Sizes without kernels are named when they are loaded. */
  @Test
  void matricesOfEightBitsWithOddSizesAreRefused() {
    for (int[] size : new int[][] {{12, 64}, {16, 40}}) {
      MatrixSource odd =
          RandomTensors.matrix("odd", size[0], size[1], WeightFormat.FLOAT8_ROWS, 1, 1);
      assertThatThrownBy(() -> backend.uploadLinear(List.of(odd)))
          .isInstanceOf(ComputeException.class)
          .hasMessageContaining("tensor odd F8_E4M3[%d, %d]".formatted(size[0], size[1]))
          .hasMessageContaining("multiple of");
    }
  }

  /** The device holds float32 as bf16, so that fused matrices of both are one GEMM. */
  @Test
  void fusedMatricesOfBothFormatsAreOneRange() {
    ByteBuffer floats = ByteBuffer.allocate(4 * 8 * 16).order(ByteOrder.LITTLE_ENDIAN);
    while (floats.hasRemaining()) {
      floats.putFloat(3);
    }
    List<MatrixSource> parts =
        List.of(
            MatrixSource.of(
                new Tensor("a", DataType.BF16, List.of(24, 16), List.of(filled(2 * 24 * 16, 1)))),
            MatrixSource.of(new Tensor("b", DataType.F32, List.of(8, 16), List.of(floats.flip()))));

    try (Weight fused = backend.uploadLinear(parts)) {
      assertThat(fused.ranges()).containsExactly(new Weight.RowRange(0, 32, WeightFormat.BFLOAT16));
      float[][] read = rows(fused, 23, 24, 31);
      assertThat(read[0]).containsOnly(1f);
      assertThat(read[1]).containsOnly(3f);
      assertThat(read[2]).containsOnly(3f);
    }
  }
}
