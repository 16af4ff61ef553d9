package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How a GEMM is divided into tasks: panels of the weight by rows of the left matrix. */
class GemmTest {
  @ParameterizedTest
  @CsvSource({"1, 256, 32", "256, 768, 256", "576, 256, 288", "2816, 2048, 480", "600, 70, 320"})
  void panelsOfAWeightAreOfOneSize(int rows, int columns, int panel) {
    assertThat(Gemm.panelRows(rows, columns)).isEqualTo(panel);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 2, 24", // Nothing to do, in no tasks.
    "24, 1, 8, 24",
    "528, 6, 2, 528", // The panels occupy both threads.
    "2064, 1, 2, 528",
    "1584, 1, 2, 408", // Three tiles alone would let one thread wait.
    "528, 5, 2, 264", // Five panels alone would let one thread wait.
    "2064, 2, 8, 528",
    "4800, 1, 1, 480"
  })
  void tasksOccupyEveryThread(int rows, int panels, int threads, int taskRows) {
    assertThat(Gemm.taskRows(rows, panels, threads)).isEqualTo(taskRows);
  }
}
