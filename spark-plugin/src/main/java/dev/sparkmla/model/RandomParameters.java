package dev.sparkmla.model;

import dev.sparkmla.compute.WeightSource;

/**
 * Parameters of any model, drawn where they will lie: gains are 1, biases 0, and matrices have the
 * standard deviation that the published models start their training with.
 */
final class RandomParameters implements ParameterSource {
  private static final float DEVIATION = 0.02f;

  private final long seed;

  RandomParameters(long seed) {
    this.seed = seed;
  }

  @Override
  public WeightSource tensor(String name, int... shape) {
    long elements = 1;
    for (int size : shape) {
      elements *= size;
    }
    boolean bias = name.endsWith("bias");
    boolean gain = shape.length == 1 && !bias;
    return new WeightSource.Drawn(
        name, elements, gain ? 1 : 0, gain || bias ? 0 : DEVIATION, 31 * seed + name.hashCode());
  }

  @Override
  public void refuseUnread(ModelConfig config) {
    // There is what is asked for.
  }
}
