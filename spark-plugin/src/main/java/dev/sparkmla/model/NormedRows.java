package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.WeightVector;

/**
 * The residual stream's rows as the next part of the model reads them: normed by its norm, in
 * memory that this owns. Whoever adds to the stream last norms it too, since a backend may do both
 * at once.
 */
final class NormedRows implements AutoCloseable {
  private final Norm norm;
  private final Activation rows;

  /** Takes memory for what {@code mixer} reads of a step. */
  NormedRows(Mixer mixer, int hidden, StepPlan plan, ComputeBackend backend) {
    this.norm = mixer.norm();
    this.rows = backend.allocate(plan.rows(), hidden, mixer.inputs());
  }

  /** The normed rows. */
  Activation rows() {
    return rows;
  }

  /** Norms the stream. */
  void of(Activation hidden, ComputeBackend backend) {
    norm.apply(hidden, rows, backend);
  }

  /** Adds experts to the stream, and norms it. */
  void ofExperts(Routing routing, Activation hidden, ComputeBackend backend) {
    WeightVector gain = norm.gain();
    backend.expertsAndNormalize(routing, hidden, gain, norm.epsilon(), rows);
  }

  @Override
  public void close() {
    rows.close();
  }
}
