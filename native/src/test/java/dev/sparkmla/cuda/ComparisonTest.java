package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The measure by which kernels pass must itself be able to fail. */
class ComparisonTest {
  private static final int COUNT = 200_000;

  private final FloatBuffer expected = FloatBuffer.allocate(COUNT);
  private final ShortBuffer actual = ShortBuffer.allocate(COUNT);

  ComparisonTest() {
    Random random = new Random(1);
    for (int i = 0; i < COUNT; i++) {
      float value = (float) random.nextGaussian() / 10;
      expected.put(i, value);
      actual.put(i, RandomPool.toBfloat16(value));
    }
  }

  @Test
  void acceptsRoundingToBfloat16() {
    assertThat(Comparison.ofOutput(actual, expected, 100, 100, Comparison.FLASH_MLA)).isEmpty();
  }

  @Test
  void findsOneWrongElementWhereverItIs() {
    for (int place : new int[] {0, 65535, 65536, COUNT - 1}) {
      short before = actual.get(place);
      actual.put(place, RandomPool.toBfloat16(RandomPool.fromBfloat16(before) + 0.01f));
      assertThat(Comparison.ofOutput(actual, expected, 100, 100, Comparison.FLASH_MLA))
          .singleElement()
          .asString()
          .startsWith("1 of 200000 outputs differ");
      actual.put(place, (short) 0xFFFF);
      assertThat(Comparison.ofOutput(actual, expected, 100, 100, Comparison.FLASH_MLA))
          .isNotEmpty();
      actual.put(place, before);
    }
  }

  @Test
  void findsWritesBetweenTheRows() {
    for (int i = 0; i < COUNT; i++) {
      if (i % 100 >= 80) {
        actual.put(i, (short) 0xFFFF);
      }
    }
    assertThat(Comparison.ofOutput(actual, expected, 100, 80, Comparison.FLASH_MLA)).isEmpty();
    actual.put(1090, (short) 0);
    assertThat(Comparison.ofOutput(actual, expected, 100, 80, Comparison.FLASH_MLA)).hasSize(1);
  }

  @Test
  void findsASystematicError() {
    for (int i = 0; i < COUNT; i++) {
      // Inside the tolerance of each element, too much for all of them.
      actual.put(i, RandomPool.toBfloat16(expected.get(i) + (i % 2 == 0 ? 5e-4f : -5e-4f)));
    }
    assertThat(Comparison.ofOutput(actual, expected, 100, 100, Comparison.FLASH_MLA))
        .singleElement()
        .asString()
        .contains("cosine distance");
  }

  @Test
  void wantsInfinitiesInTheSamePlaces() {
    FloatBuffer wanted = FloatBuffer.wrap(new float[] {1, Float.POSITIVE_INFINITY, 3});
    assertThat(
            Comparison.ofLogSumExp(
                FloatBuffer.wrap(new float[] {1.0000001f, Float.POSITIVE_INFINITY, 3}),
                wanted,
                Comparison.FLASH_MLA))
        .isEmpty();
    for (float wrong : new float[] {5, Float.NEGATIVE_INFINITY, Float.NaN}) {
      assertThat(
              Comparison.ofLogSumExp(
                  FloatBuffer.wrap(new float[] {1, wrong, 3}), wanted, Comparison.FLASH_MLA))
          .hasSize(1);
    }
    assertThat(
            Comparison.ofLogSumExp(
                FloatBuffer.wrap(new float[] {1, Float.POSITIVE_INFINITY, 3.001f}),
                wanted,
                Comparison.FLASH_MLA))
        .hasSize(1);
    assertThat(
            Comparison.ofLogSumExp(
                FloatBuffer.wrap(new float[] {1, Float.POSITIVE_INFINITY, Float.NaN}),
                wanted,
                Comparison.FLASH_MLA))
        .hasSize(1);
  }
}
