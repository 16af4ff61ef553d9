package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products of any shape, against a plain sum, alone and in company. */
class CpuProductTest {
  private static final int MOST_ROWS = 1100;

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1",
    "1, 48, 40",
    "25, 7, 3",
    "64, 576, 256",
    "481, 130, 33",
    "600, 65, 129",
    "1100, 600, 70"
  })
  void equalsThePlainSumWhateverElseIsInTheBatch(int rows, int outputs, int inputs) {
    long seed = 31L * rows + outputs;
    Random random = new Random(seed);
    try (CpuBackend backend = new CpuBackend(2)) {
      int idle = backend.liveBuffers();
      try (Weight weight = RandomTensors.uploadMatrix(backend, outputs, inputs, 0.2f, seed);
          Weight table = RandomTensors.uploadMatrix(backend, MOST_ROWS, inputs, 0.2f, seed + 1);
          WeightVector bias = RandomTensors.uploadVector(backend, outputs, 0, 0.2f, seed + 2)) {
        int[] ids = random.ints(rows, 0, MOST_ROWS).toArray();
        float[][] in = rowsOf(backend, table, ids);
        float[][] matrix = rowsOf(backend, weight, IntStream.range(0, outputs).toArray());
        float[] biases = CpuVector.of(bias);
        float[][] out = product(backend, table, ids, weight, bias, outputs, inputs);
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < outputs; j++) {
            double sum = biases[j];
            for (int l = 0; l < inputs; l++) {
              sum += (double) in[i][l] * matrix[j][l];
            }
            assertThat((double) out[i][j]).as("seed %d", seed).isCloseTo(sum, within(2e-5));
          }
        }
        int[] last = {ids[rows - 1]};
        float[] alone = product(backend, table, last, weight, bias, outputs, inputs)[0];
        for (int j = 0; j < outputs; j++) { // To the last bits: see Products.
          assertThat(alone[j])
              .as("seed %d: a row alone", seed)
              .isCloseTo(out[rows - 1][j], within(1e-5f));
        }
      }
      assertThat(backend.liveBuffers() - idle).as("buffers but the threads' own").isBetween(0, 8);
    }
  }

  private static StepPlan plan(CpuBackend backend, int[] ids) {
    int[] blocks = new int[ids.length / 64 + 1];
    Arrays.setAll(blocks, i -> i);
    return backend.plan(List.of(Segments.prompt(ids, 0, blocks)));
  }

  private static float[][] rowsOf(CpuBackend backend, Weight table, int[] ids) {
    try (StepPlan plan = plan(backend, ids);
        Activation rows = backend.allocate(ids.length, table.columns(), Precision.FLOAT32)) {
      backend.embed(table, plan, rows);
      return backend.read(rows);
    }
  }

  private static float[][] product(
      CpuBackend backend,
      Weight table,
      int[] ids,
      Weight weight,
      WeightVector bias,
      int outputs,
      int inputs) {
    try (StepPlan plan = plan(backend, ids);
        Activation in = backend.allocate(ids.length, inputs, Precision.BFLOAT16);
        Activation out = backend.allocate(ids.length, outputs, Precision.FLOAT32)) {
      backend.embed(table, plan, in);
      backend.linear(in, weight, Optional.of(bias), out);
      return backend.read(out);
    }
  }
}
