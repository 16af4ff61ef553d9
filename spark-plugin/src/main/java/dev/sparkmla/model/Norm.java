package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.WeightVector;

/**
 * An RMS norm (Zhang and Sennrich 2019, arXiv:1910.07467).
 *
 * @param gain multiplies the normed elements
 * @param epsilon added to the mean of the squares
 */
record Norm(WeightVector gain, float epsilon) {
  /** Norms {@code in}'s rows into {@code out}, as {@link ComputeBackend#normalize} says. */
  void apply(Activation in, Activation out, ComputeBackend backend) {
    backend.normalize(in, gain, epsilon, out);
  }
}
