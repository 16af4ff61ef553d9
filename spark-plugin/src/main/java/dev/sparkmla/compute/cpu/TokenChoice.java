package dev.sparkmla.compute.cpu;

import dev.sparkmla.policy.Sampling;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * A row of logits to a token. The random number comes from a counter, not from a state: the
 * finisher of SplitMix64 (Steele, Lea and Flood 2014) over seed and index.
 */
final class TokenChoice {
  private TokenChoice() {}

  /** A token; empty where a logit is NaN or positive infinity. */
  static OptionalInt choose(float[] logits, Sampling sampling) {
    for (float logit : logits) {
      if (Float.isNaN(logit) || logit == Float.POSITIVE_INFINITY) {
        return OptionalInt.empty();
      }
    }
    int largest = largest(logits);
    return OptionalInt.of(sampling.temperature() == 0 ? largest : draw(logits, largest, sampling));
  }

  private static int draw(float[] logits, int largest, Sampling sampling) {
    int[] kept = kept(logits, sampling);
    double[] powers = new double[kept.length];
    double sum = 0;
    for (int i = 0; i < kept.length; i++) {
      double power =
          Math.exp(((double) logits[kept[i]] - logits[largest]) / sampling.temperature());
      powers[i] = power >= sampling.minP() ? power : 0;
      sum += powers[i];
    }
    int count = kept.length;
    if (sampling.topP() < 1) {
      double reached = 0;
      count = 0;
      while (count < kept.length && reached < sampling.topP() * sum) {
        reached += powers[count++];
      }
      sum = reached;
    }
    double left = uniform(sampling.seed(), sampling.index()) * sum;
    int last = largest;
    for (int i = 0; i < count; i++) {
      left -= powers[i];
      last = powers[i] > 0 ? kept[i] : last;
      if (left < 0) {
        return last;
      }
    }
    return last;
  }

  private static int largest(float[] logits) {
    int best = 0;
    for (int i = 0; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** The ids that top-k keeps, best first (the lower id among equals), or all when none is cut. */
  private static int[] kept(float[] logits, Sampling sampling) {
    if (sampling.topK() == 0 && sampling.topP() >= 1) {
      int[] all = new int[logits.length];
      Arrays.setAll(all, i -> i);
      return all;
    }
    long[] order = new long[logits.length];
    for (int i = 0; i < logits.length; i++) {
      // + 0f: both zeros are equal.
      int bits = Float.floatToIntBits(logits[i] + 0f);
      int ascending = bits ^ (bits >> 31 & 0x7fffffff);
      order[i] = (long) ~ascending << 32 | i;
    }
    Arrays.sort(order);
    int[] kept =
        new int[sampling.topK() == 0 ? order.length : Math.min(sampling.topK(), order.length)];
    Arrays.setAll(kept, i -> (int) order[i]);
    return kept;
  }

  /** In [0, 1), 53 bits. */
  static double uniform(long seed, int index) {
    return (SplitMix64.number(SplitMix64.number(seed, 0), index) >>> 11) * 0x1p-53;
  }
}
