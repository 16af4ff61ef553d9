package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.GpuDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
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
      backend.embed(table, plan, rows);
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
