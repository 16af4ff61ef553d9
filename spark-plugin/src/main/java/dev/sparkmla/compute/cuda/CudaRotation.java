package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Rotation;
import dev.sparkmla.cuda.RotaryEmbedding;

/** The device's table of angles. */
record CudaRotation(RotaryEmbedding embedding) implements Rotation {
  static RotaryEmbedding of(Rotation rotation) {
    return ((CudaRotation) rotation).embedding;
  }

  @Override
  public void close() {
    embedding.close();
  }
}
