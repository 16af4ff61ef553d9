package dev.sparkmla.model;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Tensor;

/**
 * Parameters of any model: gains are 1, biases 0, and matrices have the standard deviation that the
 * published models start their training with.
 */
public final class RandomParameters implements ParameterSource {
  private static final float DEVIATION = 0.02f;

  private final long seed;

  /** The same seed makes the same parameters. */
  public RandomParameters(long seed) {
    this.seed = seed;
  }

  @Override
  public MatrixSource matrix(String name, int rows, int columns) {
    return RandomTensors.matrix(name, rows, columns, DEVIATION, 31 * seed + name.hashCode());
  }

  @Override
  public Tensor vector(String name, int size) {
    return RandomTensors.vector(name, size, name.endsWith("bias") ? 0 : 1, 0, seed);
  }

  @Override
  public void refuseUnread(ModelConfig config) {
    // There is what is asked for.
  }
}
