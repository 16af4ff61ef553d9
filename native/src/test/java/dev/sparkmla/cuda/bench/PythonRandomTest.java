package dev.sparkmla.cuda.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

/** Numbers printed by CPython 3.11. */
class PythonRandomTest {
  @Test
  void drawsWhatPythonDraws() {
    PythonRandom random = new PythonRandom(0);
    double[] drawn = new double[1000];
    Arrays.setAll(drawn, i -> random.uniform());
    assertThat(drawn[0]).isEqualTo(0.8444218515250481);
    assertThat(drawn[1]).isEqualTo(0.7579544029403025);
    assertThat(drawn[999]).isEqualTo(0.4804125346981437);
  }

  @Test
  void drawsTheLengthsThatPythonDraws() {
    PythonRandom random = new PythonRandom(0);
    double[] drawn = new double[128];
    Arrays.setAll(drawn, i -> random.normal(4096, 2048));
    assertThat(drawn[0]).isEqualTo(3719.437883201007);
    assertThat(drawn[1]).isEqualTo(4162.568456350888);
    assertThat(drawn[127]).isEqualTo(4844.760756436818);

    int[] lengths = new DecodeRow(128, 1, 128, 4096, true, false, OptionalDouble.empty()).lengths();
    assertThat(Arrays.stream(lengths).sum()).isEqualTo(526961);
  }

  @Test
  void countsOperationsAndBytesAsPublished() {
    DecodeRow row = new DecodeRow(128, 1, 16, 4096, false, false, OptionalDouble.empty());
    // 0.161 ms are 113 TFLOPS and 3778 GB/s in the published table.
    assertThat(row.operations() / 0.161 / 1e9).isBetween(112.5, 113.6);
    assertThat(row.bytes() / 0.161 / 1e6).isBetween(3760.0, 3800.0);
    assertThat(DecodeRow.all()).hasSize(39).doesNotHaveDuplicates();
  }
}
