package dev.sparkmla.model;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.WeightFormat;

/**
 * Parameters of any model: gains are 1, biases 0, and matrices have the standard deviation that the
 * published models start their training with.
 */
public final class RandomParameters implements ParameterSource {
  private static final float DEVIATION = 0.02f;

  private final long seed;
  private final WeightFormat format;

  /** The same seed makes the same parameters, bf16. */
  public RandomParameters(long seed) {
    this(seed, WeightFormat.BFLOAT16);
  }

  /**
   * Of a format where published models have it: projections, but not embeddings and routers.
   *
   * @param seed the same seed makes the same parameters
   */
  public RandomParameters(long seed, WeightFormat format) {
    this.seed = seed;
    this.format = format;
  }

  @Override
  public MatrixSource matrix(String name, int rows, int columns) {
    WeightFormat own = name.contains("_proj") ? format : WeightFormat.BFLOAT16;
    return RandomTensors.matrix(name, rows, columns, own, DEVIATION, 31 * seed + name.hashCode());
  }

  /** Nothing is known of what nobody asked for yet. */
  @Override
  public long bytes() {
    return 0;
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
