package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Routing;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** The experts chosen for every row and their weights, one behind the other in the arena. */
final class CudaRouting implements Routing {
  private final Arena.Block block;
  private final int rows;
  private final int perToken;
  private final CudaPlan plan;

  /**
   * Takes the memory.
   *
   * @param plan of the step, whose padded rows no expert computes
   */
  CudaRouting(Arena arena, int rows, int perToken, CudaPlan plan) {
    this.rows = rows;
    this.perToken = perToken;
    this.plan = plan;
    this.block = arena.take(2 * bytes());
  }

  static CudaRouting of(Routing routing) {
    return (CudaRouting) routing;
  }

  /** Bytes of the ids, and of the weights. */
  private long bytes() {
    return (long) rows * perToken * Integer.BYTES;
  }

  CudaPlan plan() {
    return plan;
  }

  int perToken() {
    return perToken;
  }

  /** int32 {@code [rows, perToken]}. */
  DeviceTensor ids() {
    return DeviceTensor.of(block.buffer(), block.offset(), ElementType.INT32, rows, perToken);
  }

  /** float32 {@code [rows, perToken]}. */
  DeviceTensor weights() {
    return DeviceTensor.of(
        block.buffer(), block.offset() + bytes(), ElementType.FLOAT32, rows, perToken);
  }

  @Override
  public void close() {
    block.close();
  }
}
