package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sparkmla.policy.RouterPolicy;
import dev.sparkmla.policy.RouterPolicy.Method;
import org.junit.jupiter.api.Test;

class ExpertChoiceTest {
  private static final float[] NO_BIAS = new float[6];

  private final int[] experts = new int[2];
  private final float[] weights = new float[2];

  private void choose(RouterPolicy policy, float[] logits, float[] bias) {
    new ExpertChoice(policy, logits, bias, logits.length).write(experts, weights, 0);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @Test
  void greedyWeighsByTheSoftmaxOverAll() {
    choose(
        new RouterPolicy(Method.SOFTMAX_GREEDY, 6, 2, 1, 1, false, 16),
        new float[] {0, 3, 1, 2, 0, 0},
        NO_BIAS);

    double sum = 3 + Math.exp(3) + Math.exp(1) + Math.exp(2);
    assertThat(experts).containsExactly(1, 3);
    assertThat(weights[0]).isCloseTo((float) (16 * Math.exp(3) / sum), within(1e-5f));
    assertThat(weights[1]).isCloseTo((float) (16 * Math.exp(2) / sum), within(1e-5f));
  }

  @Test
  void normalizedWeightsSumToTheScale() {
    choose(
        new RouterPolicy(Method.SOFTMAX_GREEDY, 6, 2, 1, 1, true, 2.5f),
        new float[] {0, 3, 1, 2, 0, 0},
        NO_BIAS);

    assertThat(weights[0] + weights[1]).isCloseTo(2.5f, within(1e-5f));
    assertThat(weights[0] / weights[1]).isCloseTo((float) Math.E, within(1e-4f));
  }

  @Test
  void theLowerIdWinsAmongEquals() {
    choose(
        new RouterPolicy(Method.SOFTMAX_GREEDY, 6, 2, 1, 1, true, 1),
        new float[] {1, 1, 1, 1, 1, 1},
        NO_BIAS);

    assertThat(experts).containsExactly(0, 1);
  }

  @Test
  void groupsAreRankedByTheirLargestMember() {
    // Groups {5, 0}, {4, 4}, {0, 0}: the first alone may be chosen from.
    choose(
        new RouterPolicy(Method.SOFTMAX_GROUP_LIMITED, 6, 2, 3, 1, true, 1),
        new float[] {5, 0, 4, 4, 0, 0},
        NO_BIAS);

    assertThat(experts).containsExactly(0, 1);
  }

  @Test
  void biasedGroupsAreRankedByTheirTwoLargest() {
    // Sums of scores: 0.99 + 0.5, 0.98 + 0.98, 1: the second.
    choose(
        new RouterPolicy(Method.SIGMOID_BIASED, 6, 2, 3, 1, true, 1),
        new float[] {5, 0, 4, 4, 0, 0},
        NO_BIAS);

    assertThat(experts).containsExactly(2, 3);
  }

  @Test
  void theBiasChoosesAndDoesNotWeigh() {
    choose(
        new RouterPolicy(Method.SIGMOID_BIASED, 6, 2, 1, 1, false, 1),
        new float[] {2, 1, 0, -1, -2, -3},
        new float[] {0, 0, 0, 0, 0, 5});

    assertThat(experts).containsExactly(5, 0);
    assertThat(weights[0]).isCloseTo((float) sigmoid(-3), within(1e-6f));
    assertThat(weights[1]).isCloseTo((float) sigmoid(2), within(1e-6f));
  }

  @Test
  void largeLogitsDoNotOverflow() {
    choose(
        new RouterPolicy(Method.SOFTMAX_GREEDY, 6, 2, 1, 1, true, 1),
        new float[] {500, 499, -500, 0, 0, 0},
        NO_BIAS);

    assertThat(experts).containsExactly(0, 1);
    assertThat(weights[0]).isCloseTo((float) (Math.E / (Math.E + 1)), within(1e-5f));
  }
}
