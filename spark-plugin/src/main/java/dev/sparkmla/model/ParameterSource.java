package dev.sparkmla.model;

import dev.sparkmla.compute.WeightSource;

/** A model's parameters by the names of the published checkpoints. */
interface ParameterSource {
  /**
   * A tensor that must be there.
   *
   * @param shape the dimensions it must have
   * @throws ModelFormatException when it is missing or has another shape
   */
  WeightSource tensor(String name, int... shape);

  /**
   * Refuses tensors nothing has asked for.
   *
   * @throws ModelFormatException when there are some
   */
  void refuseUnread(ModelConfig config);
}
