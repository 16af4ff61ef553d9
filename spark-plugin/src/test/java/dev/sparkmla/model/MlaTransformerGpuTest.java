package dev.sparkmla.model;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.cuda.GpuDevice;
import org.junit.jupiter.api.Tag;

/** The forward pass on a GPU, where activations are rounded to bf16 between operations. */
@Tag("gpu")
class MlaTransformerGpuTest extends TransformerLaws {
  @Override
  ComputeBackend open() {
    return ComputeBackends.cuda(GpuDevice.at(0));
  }

  @Override
  double tolerance() {
    return 8e-2;
  }
}
