package dev.sparkmla.model;

import java.util.List;

/** How rotary embedding is stretched to a longer context ({@code rope_type}). Immutable. */
public sealed interface RopeScaling {
  /**
   * The angle, in radians, by which a pair is rotated from one position to the next.
   *
   * @param base {@code rope_theta}
   * @param size elements that are rotated, two a pair
   * @param pair from 0 to {@code size / 2 - 1}
   */
  double inverseFrequency(double base, int size, int pair);

  /** Multiplies the cosines and sines. */
  default double attentionFactor() {
    return 1;
  }

  /** Multiplies the softmax scale {@code (nope + rope)^-0.5}. */
  default double softmaxFactor() {
    return 1;
  }

  private static double unscaled(double base, int size, int pair) {
    return Math.pow(base, -2.0 * pair / size);
  }

  /** {@code default}: pair i is rotated by {@code base^(-2i/n)} with n the rope size. */
  record None() implements RopeScaling {
    @Override
    public double inverseFrequency(double base, int size, int pair) {
      return unscaled(base, size, pair);
    }
  }

  /**
   * {@code linear}: every pair is rotated more slowly, by the same factor (Chen et al. 2023,
   * arXiv:2306.15595).
   *
   * @param factor extension factor
   */
  record Linear(double factor) implements RopeScaling {
    @Override
    public double inverseFrequency(double base, int size, int pair) {
      return unscaled(base, size, pair) / factor;
    }
  }

  /**
   * {@code longrope}: every pair is rotated more slowly, by a factor of its own (Ding et al. 2024,
   * arXiv:2402.13753).
   *
   * @param factors one for each pair
   * @param attentionFactor multiplies the cosines and sines
   */
  record LongRope(List<Double> factors, double attentionFactor) implements RopeScaling {
    /** Copies the list. */
    public LongRope {
      factors = List.copyOf(factors);
    }

    @Override
    public double inverseFrequency(double base, int size, int pair) {
      return unscaled(base, size, pair) / factors.get(pair);
    }
  }

  /**
   * {@code yarn} (Peng et al. 2023, arXiv:2309.00071) as DeepSeek's models use it. With n the rope
   * size, pair i is rotated by {@code interpolated * ramp + extrapolated * (1 - ramp)}, where
   * {@code extrapolated = base^(-2i/n)}, {@code interpolated = extrapolated / factor}, {@code ramp
   * = clamp((i - low) / (high - low), 0, 1)}, {@code low = max(dimension(betaFast), 0)}, {@code
   * high = min(dimension(betaSlow), n - 1)} (0.001 more where they are equal) and {@code
   * dimension(r) = n ln(originalContext / (2 pi r)) / (2 ln base)}.
   *
   * @param factor extension factor
   * @param originalContext context window before the extension
   * @param betaFast rotations above which a dimension is not interpolated
   * @param betaSlow rotations below which a dimension is fully interpolated
   * @param truncated whether low is rounded down and high up
   * @param attentionFactor multiplies the cosines and sines
   * @param softmaxFactor multiplies the softmax scale {@code (nope + rope)^-0.5}
   */
  record Yarn(
      double factor,
      int originalContext,
      double betaFast,
      double betaSlow,
      boolean truncated,
      double attentionFactor,
      double softmaxFactor)
      implements RopeScaling {
    @Override
    public double inverseFrequency(double base, int size, int pair) {
      double extrapolated = unscaled(base, size, pair);
      double ramp = ramp(base, size, pair);
      return extrapolated / factor * ramp + extrapolated * (1 - ramp);
    }

    private double ramp(double base, int size, int pair) {
      double low = dimension(base, size, betaFast);
      double high = dimension(base, size, betaSlow);
      if (truncated) {
        low = Math.floor(low);
        high = Math.ceil(high);
      }
      low = Math.max(low, 0);
      high = Math.min(high, size - 1);
      if (low == high) {
        high += 0.001;
      }
      return Math.max(0, Math.min(1, (pair - low) / (high - low)));
    }

    private double dimension(double base, int size, double rotations) {
      return size * Math.log(originalContext / (rotations * 2 * Math.PI)) / (2 * Math.log(base));
    }
  }
}
