package dev.sparkmla.model;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.cuda.GpuDevice;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The forward pass on a GPU, where activations are rounded to bf16 between operations. */
@Tag("gpu")
class MlaTransformerGpuTest extends TransformerLaws {
  @Override
  ComputeBackend open() {
    return ComputeBackends.cuda(GpuDevice.at(0));
  }

  @Override
  boolean growsQueries() {
    return false;
  }

  /** GEMMs with weights in 8 bits quantize what they read, at places of their own rounding. */
  @Override
  double tolerance(GoldenCheckpoint.Case golden) {
    return 8e-2 + 2 * golden.activationEffect();
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void continuesAsTheReferenceInALargeBatch(GoldenCheckpoint checkpoint) {
    assertContinuesTogether(checkpoint, 10, 50);
    assertContinuesTogether(checkpoint, 10, 1500);
  }
}
