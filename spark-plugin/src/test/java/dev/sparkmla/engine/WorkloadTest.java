package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class WorkloadTest {
  @Test
  void readsEqualPrompts() {
    Workload load = Workload.of("64x4096+256");
    assertThat(load.size()).isEqualTo(64);
    assertThat(load.prompts()).containsOnly(4096);
    assertThat(load.newTokens()).containsOnly(256);
    assertThat(load.longest()).isEqualTo(4352);
  }

  @Test
  void drawsTheSameLengthsEachTime() {
    Workload load = Workload.of("2000x~4096+256");
    assertThat(load).isEqualTo(Workload.of("2000x~4096+256"));
    assertThat(load.prompts()).allSatisfy(length -> assertThat(length).isBetween(1, 32_768));
    assertThat(load.prompts().stream().sorted().toList().get(1000)).isBetween(3700, 4500);
    // exp(1) is 2.718: 15.9 % of the lengths lie above the median times that.
    assertThat(load.prompts().stream().filter(length -> length > 4096 * Math.E).count())
        .isBetween(270L, 370L);
    assertThat(load.newTokens()).allSatisfy(count -> assertThat(count).isBetween(1, 256));
    assertThat(load.generatedTokens() / 2000.0).isBetween(120.0, 137.0);
  }

  @Test
  void saysWhatWasExpected() {
    assertThatThrownBy(() -> Workload.of("64x4096"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("64x4096+256");
  }
}
