package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelShapesTest {
  /** What the models' owners publish; GLM-4.7-Flash's without its prediction layer. */
  @ParameterizedTest
  @CsvSource({
    "DEEPSEEK_V2_LITE, 15.7e9, 2.45e9",
    "MOONLIGHT_16B_A3B, 15.96e9, 2.58e9",
    "GLM_4_7_FLASH, 29.9e9, 3.6e9",
    "YOUTU_LLM_2B, 1.96e9, 1.96e9"
  })
  void hasThePublishedNumberOfParameters(ModelShapes shapes, double all, double active) {
    ParameterCount count = new ParameterCount(shapes.config());
    assertThat((double) count.all()).isCloseTo(all, Percentage.withPercentage(1));
    assertThat((double) count.active()).isCloseTo(active, Percentage.withPercentage(3));
  }
}
