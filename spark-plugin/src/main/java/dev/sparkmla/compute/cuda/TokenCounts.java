package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** How often each token stands in each sampled row's output: a workspace in the arena. */
final class TokenCounts implements AutoCloseable {
  private final Arena.Block block;
  private final int rows;
  private final int vocabulary;

  TokenCounts(Arena arena, int rows, int vocabulary) {
    this.rows = rows;
    this.vocabulary = vocabulary;
    this.block = arena.take((long) Integer.BYTES * rows * vocabulary);
  }

  /** int32 {@code [rows, vocabulary]}. */
  DeviceTensor tensor() {
    return DeviceTensor.of(block.buffer(), block.offset(), ElementType.INT32, rows, vocabulary);
  }

  @Override
  public void close() {
    block.close();
  }
}
