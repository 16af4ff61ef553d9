package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StepTokensTest {
  private static final long GIBIBYTE = 1L << 30;

  @ParameterizedTest
  @CsvSource({
    "79, 29, 16384",
    "79, 63, 16384",
    "79, 64, 8192",
    "79, 71, 8192",
    "79, 72, 4096",
    "79, 77, 2048",
    "79, 79, 2048",
    "24, 29, 2048",
  })
  void leavesTheCacheMostOfTheMemory(long free, long weights, int tokens) {
    assertThat(StepTokens.fitting(OptionalLong.of(free * GIBIBYTE), () -> weights * GIBIBYTE))
        .isEqualTo(tokens);
  }

  @Test
  void isSmallOnAProcessor() {
    assertThat(
            StepTokens.fitting(
                OptionalLong.empty(),
                () -> {
                  throw new AssertionError("the weights are not read for it");
                }))
        .isEqualTo(2048);
  }
}
