package dev.sparkmla.model;

import dev.sparkmla.model.ModelConfig.Rope;
import dev.sparkmla.model.ModelConfig.Yarn;

/** By how much each pair turns from one position to the next; formulas at {@link Yarn}. */
final class RopeFrequencies {
  private RopeFrequencies() {}

  /** {@code [size / 2]}. */
  static double[] inverse(Rope rope, int size) {
    double[] frequencies = new double[size / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double extrapolated = Math.pow(rope.base(), -2.0 * i / size);
      double ramp = rope.yarn().isPresent() ? ramp(rope, rope.yarn().get(), size, i) : 0;
      double factor = rope.yarn().map(Yarn::factor).orElse(1.0);
      frequencies[i] = extrapolated / factor * ramp + extrapolated * (1 - ramp);
    }
    return frequencies;
  }

  private static double ramp(Rope rope, Yarn yarn, int size, int pair) {
    double low = dimension(rope, yarn, size, yarn.betaFast());
    double high = dimension(rope, yarn, size, yarn.betaSlow());
    if (yarn.truncated()) {
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

  private static double dimension(Rope rope, Yarn yarn, int size, double rotations) {
    return size
        * Math.log(yarn.originalContext() / (rotations * 2 * Math.PI))
        / (2 * Math.log(rope.base()));
  }
}
