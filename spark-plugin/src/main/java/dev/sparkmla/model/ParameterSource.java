package dev.sparkmla.model;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Tensor;

/**
 * Where a model's parameters come from, by the names of the published checkpoints. Public for
 * benchmarks, which make models of random parameters.
 */
public interface ParameterSource {
  /**
   * A matrix that must be there, with every tensor that belongs to it.
   *
   * @param name the name of its values
   * @throws ModelFormatException when a tensor of it is missing, has another shape, or holds what
   *     no weight or scale may be
   */
  MatrixSource matrix(String name, int rows, int columns);

  /**
   * A vector that must be there.
   *
   * @throws ModelFormatException when it is missing, has another shape, or holds NaN or infinity
   */
  Tensor vector(String name, int size);

  /** Bytes that a device needs for all of it, about: 32 bits are held as 16 there. */
  long bytes();

  /**
   * Refuses tensors that nothing has asked for.
   *
   * @throws ModelFormatException when there are some
   */
  void refuseUnread(ModelConfig config);
}
