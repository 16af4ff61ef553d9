package dev.sparkmla.model;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;

/** The forward pass on the processor. */
class MlaTransformerTest extends TransformerLaws {
  @Override
  ComputeBackend open() {
    return ComputeBackends.cpu(2);
  }

  @Override
  boolean growsQueries() {
    return true;
  }

  @Override
  double tolerance(GoldenCheckpoint.Case golden) {
    return 2e-2;
  }
}
