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

/** GEMMs of any shape, against a plain sum, alone and in company. */
class CpuGemmTest {
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
        float[][] out = linear(backend, table, ids, 0, weight, bias);
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < outputs; j++) {
            double sum = biases[j];
            for (int l = 0; l < inputs; l++) {
              sum += (double) in[i][l] * matrix[j][l];
            }
            assertThat((double) out[i][j]).as("seed %d", seed).isCloseTo(sum, within(2e-5));
          }
        }
        for (int row = 0; row < rows; row += 1 + random.nextInt(100)) {
          float[] alone = linear(backend, table, new int[] {ids[row]}, row, weight, bias)[0];
          assertThat(alone).as("seed %d: row %d alone", seed, row).isEqualTo(out[row]);
        }
      }
      assertThat(backend.liveBuffers() - idle).as("buffers but the threads' own").isBetween(0, 8);
    }
  }

  private static StepPlan plan(CpuBackend backend, int[] ids, int position) {
    int[] blocks = new int[(position + ids.length) / 64 + 1];
    Arrays.setAll(blocks, i -> i);
    return backend.plan(List.of(Segments.prompt(ids, position, blocks)));
  }

  private static float[][] rowsOf(CpuBackend backend, Weight table, int[] ids) {
    try (StepPlan plan = plan(backend, ids, 0);
        Activation rows = backend.allocate(ids.length, table.columns(), Precision.FLOAT32)) {
      backend.embed(table, plan, rows);
      return backend.read(rows);
    }
  }

  /** A linear layer over rows of a table, as the tokens of a prompt from a position on. */
  private static float[][] linear(
      CpuBackend backend, Weight table, int[] ids, int position, Weight weight, WeightVector bias) {
    try (StepPlan plan = plan(backend, ids, position);
        Activation in = backend.allocate(plan.rows(), table.columns(), Precision.BFLOAT16);
        Activation out = backend.allocate(plan.rows(), weight.rows(), Precision.FLOAT32)) {
      backend.embed(table, plan, in);
      backend.linear(in, weight, Optional.of(bias), out);
      return Arrays.copyOfRange(backend.read(out), plan.rows() - ids.length, plan.rows());
    }
  }
}
