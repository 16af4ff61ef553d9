package dev.sparkmla.compute;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StepLimitsTest {
  @ParameterizedTest
  @CsvSource({
    "0, 1, 1, tokens of a step",
    "1, 0, 1, 1 to 65472",
    "100000, 65473, 1, 1 to 65472",
    "1, 1, 0, tokens of a sequence"
  })
  void refusesWhatNoStepCanHave(int tokens, int sequences, int positions, String message) {
    assertThatThrownBy(() -> new StepLimits(tokens, sequences, positions))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
