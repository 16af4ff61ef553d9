package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Routing;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/**
 * Experts and weights in the arena, {@code [rows, perToken]} each.
 *
 * @param plan of the step, whose padded rows no expert computes
 */
record CudaRouting(Arena.Block ids, Arena.Block weights, int rows, int perToken, CudaPlan plan)
    implements Routing {
  static CudaRouting take(Arena arena, int rows, int perToken, CudaPlan plan) {
    long bytes = (long) rows * perToken * Integer.BYTES;
    return new CudaRouting(arena.take(bytes), arena.take(bytes), rows, perToken, plan);
  }

  DeviceTensor idTensor() {
    return DeviceTensor.of(ids.buffer(), ids.offset(), ElementType.INT32, rows, perToken);
  }

  DeviceTensor weightTensor() {
    return DeviceTensor.of(weights.buffer(), weights.offset(), ElementType.FLOAT32, rows, perToken);
  }

  @Override
  public void close() {
    weights.close();
    ids.close();
  }
}
