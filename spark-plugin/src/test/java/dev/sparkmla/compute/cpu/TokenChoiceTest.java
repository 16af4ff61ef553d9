package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenChoiceTest {
  private static final float[] LOGITS = {0, 2, 1, 2, -1};

  private static int choose(float[] logits, float temperature, int topK, float topP, int index) {
    return choose(
        logits, new Sampling(temperature, topK, topP, 0, 7, index, LogitsProcessing.NONE));
  }

  private static int choose(float[] logits, Sampling sampling) {
    return TokenChoice.choose(logits, sampling).orElseThrow();
  }

  private static Set<Integer> chosen(float temperature, int topK, float topP) {
    Set<Integer> tokens = new TreeSet<>();
    for (int index = 0; index < 2000; index++) {
      tokens.add(choose(LOGITS, temperature, topK, topP, index));
    }
    return tokens;
  }

  @Test
  void greedyTakesTheLowestIdOfTheLargest() {
    assertThat(choose(LOGITS, Sampling.GREEDY)).isEqualTo(1);
    assertThat(choose(new float[] {-0f, 0f}, Sampling.GREEDY)).isZero();
    assertThat(
            choose(new float[] {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY}, Sampling.GREEDY))
        .isZero();
  }

  @Test
  void keepsTheLargest() {
    assertThat(chosen(1, 1, 1)).containsExactly(1);
    assertThat(chosen(1, 2, 1)).containsExactly(1, 3);
    assertThat(chosen(1, 3, 1)).containsExactly(1, 2, 3);
    assertThat(chosen(1, 99, 1)).containsExactly(0, 1, 2, 3, 4);
  }

  @Test
  void keepsTheSmallestSetThatReachesTheProbability() {
    // Probabilities 0.051, 0.376, 0.138, 0.376, 0.019, up to the last digit; ids 1 and 3 lead.
    assertThat(chosen(1, 0, 0.3f)).containsExactly(1);
    assertThat(chosen(1, 0, 0.7f)).containsExactly(1, 3);
    assertThat(chosen(1, 0, 0.8f)).containsExactly(1, 2, 3);
    assertThat(chosen(1, 0, 0.93f)).containsExactly(0, 1, 2, 3);
  }

  @Test
  void topPIsOfWhatTopKLeft() {
    assertThat(chosen(1, 3, 0.5f)).containsExactly(1, 3);
  }

  @Test
  void keepsWhatHasEnoughOfTheLargestProbability() {
    // Of the largest probability, id 2 has e^-1 = 0.368, id 0 has e^-2 = 0.135.
    for (float[] kept : new float[][] {{0.3f, 3}, {0.1f, 4}, {1, 2}, {0, 5}}) {
      Set<Integer> tokens = new TreeSet<>();
      for (int index = 0; index < 2000; index++) {
        tokens.add(choose(LOGITS, new Sampling(1, 0, 1, kept[0], 7, index, LogitsProcessing.NONE)));
      }
      assertThat(tokens).as("min_p %s", kept[0]).hasSize((int) kept[1]);
    }
  }

  @Test
  void neverChoosesATokenThatIsRuledOut() {
    float[] logits = {Float.NEGATIVE_INFINITY, 1, Float.NEGATIVE_INFINITY, 0};
    for (int index = 0; index < 2000; index++) {
      for (int topK : new int[] {0, 3}) {
        assertThat(choose(logits, 5, topK, 1, index)).isIn(1, 3);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {0.5f, 1, 3})
  void drawsWithTheProbabilitiesOfTheSoftmax(float temperature) {
    int draws = 40_000;
    int[] counts = new int[LOGITS.length];
    for (int index = 0; index < draws; index++) {
      counts[choose(LOGITS, temperature, 0, 1, index)]++;
    }
    double sum = 0;
    for (float logit : LOGITS) {
      sum += Math.exp(logit / temperature);
    }
    for (int i = 0; i < counts.length; i++) {
      double expected = Math.exp(LOGITS[i] / temperature) / sum;
      // Five standard deviations of a binomial; the draws are the same in every run.
      assertThat((double) counts[i] / draws)
          .as("token %d", i)
          .isCloseTo(expected, within(5 * Math.sqrt(expected * (1 - expected) / draws)));
    }
  }

  @Test
  void dependsOnSeedAndIndexAlone() {
    float[] logits = new float[500];
    Random random = new Random(3);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextGaussian();
    }
    Sampling sampling = new Sampling(1, 0, 1, 0, 11, 5, LogitsProcessing.NONE);
    int token = choose(logits, sampling);
    assertThat(choose(logits.clone(), sampling)).isEqualTo(token);
    Set<Integer> bySeed = new TreeSet<>();
    Set<Integer> byIndex = new TreeSet<>();
    for (int i = 0; i < 50; i++) {
      bySeed.add(choose(logits, new Sampling(1, 0, 1, 0, i, 5, LogitsProcessing.NONE)));
      byIndex.add(choose(logits, new Sampling(1, 0, 1, 0, 11, i, LogitsProcessing.NONE)));
    }
    assertThat(bySeed).hasSizeGreaterThan(25);
    assertThat(byIndex).hasSizeGreaterThan(25);
  }

  @Test
  void numbersAreUniform() {
    double sum = 0;
    for (int index = 0; index < 10_000; index++) {
      double number = TokenChoice.uniform(99, index);
      assertThat(number).isBetween(0.0, Math.nextDown(1.0));
      sum += number;
    }
    assertThat(sum / 10_000).isCloseTo(0.5, within(0.015));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void choosesNothingWhereALogitIsNoNumber(float broken) {
    assertThat(TokenChoice.choose(new float[] {1, broken}, Sampling.GREEDY)).isEmpty();
    assertThat(
            TokenChoice.choose(
                new float[] {broken, 1}, new Sampling(1, 2, 0.5f, 0, 3, 4, LogitsProcessing.NONE)))
        .isEmpty();
  }
}
