package dev.sparkmla.compute.cpu;

import dev.sparkmla.policy.RouterPolicy;
import java.util.Arrays;

/** One token's choice of experts. */
final class ExpertChoice {
  private final RouterPolicy policy;
  private final int count;
  private final float[] scores;
  private final float[] ranks;

  /**
   * Ranks the experts.
   *
   * @param logits {@code [count]} and perhaps more
   * @param bias {@code [count]}
   */
  ExpertChoice(RouterPolicy policy, float[] logits, float[] bias, int count) {
    this.policy = policy;
    this.count = count;
    this.scores = new float[count];
    switch (policy.method()) {
      case SOFTMAX_GREEDY, SOFTMAX_GROUP_LIMITED -> softmax(logits);
      case SIGMOID_BIASED -> {
        for (int i = 0; i < count; i++) {
          scores[i] = (float) (1 / (1 + Math.exp(-logits[i])));
        }
      }
    }
    this.ranks = scores.clone();
    if (policy.method() == RouterPolicy.Method.SIGMOID_BIASED) {
      for (int i = 0; i < count; i++) {
        ranks[i] += bias[i];
      }
    }
    if (policy.method() != RouterPolicy.Method.SOFTMAX_GREEDY) {
      refuseOtherGroups();
    }
  }

  private void softmax(float[] logits) {
    double largest = Vectors.largest(logits, 0, count);
    double sum = 0;
    double[] powers = new double[count];
    for (int i = 0; i < count; i++) {
      powers[i] = Math.exp(logits[i] - largest);
      sum += powers[i];
    }
    for (int i = 0; i < count; i++) {
      scores[i] = (float) (powers[i] / sum);
    }
  }

  /** Experts of groups that are not among the best can not be chosen. */
  private void refuseOtherGroups() {
    int size = count / policy.groups();
    float[] groups = new float[policy.groups()];
    for (int group = 0; group < groups.length; group++) {
      float first = Float.NEGATIVE_INFINITY;
      float second = Float.NEGATIVE_INFINITY;
      for (int i = group * size; i < (group + 1) * size; i++) {
        if (ranks[i] > first) {
          second = first;
          first = ranks[i];
        } else if (ranks[i] > second) {
          second = ranks[i];
        }
      }
      groups[group] =
          policy.method() == RouterPolicy.Method.SIGMOID_BIASED ? first + second : first;
    }
    boolean[] open = new boolean[groups.length];
    for (int i = 0; i < policy.groupsPerToken(); i++) {
      int best = takeLargest(groups);
      open[best] = true;
    }
    for (int i = 0; i < count; i++) {
      if (!open[i / size]) {
        ranks[i] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  /** The place of the largest, the first among equals, which is then out of the running. */
  private static int takeLargest(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) {
        best = i;
      }
    }
    values[best] = Float.NEGATIVE_INFINITY;
    return best;
  }

  /** Writes the chosen ids and their weights from {@code at} on. */
  void write(int[] experts, float[] weights, int at) {
    float[] left = Arrays.copyOf(ranks, count);
    float sum = 0;
    for (int i = 0; i < policy.perToken(); i++) {
      experts[at + i] = takeLargest(left);
      weights[at + i] = scores[experts[at + i]];
      sum += weights[at + i];
    }
    for (int i = 0; i < policy.perToken(); i++) {
      if (policy.normalized()) {
        weights[at + i] /= sum + 1e-20f;
      }
      weights[at + i] *= policy.scale();
    }
  }
}
