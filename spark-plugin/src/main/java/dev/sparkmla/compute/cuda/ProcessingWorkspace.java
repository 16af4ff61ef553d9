package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/**
 * What processing the logits of a step's sampled rows takes of the arena: how often each token
 * stands in each row's output, and behind it the rows' positions in their automata.
 */
final class ProcessingWorkspace implements AutoCloseable {
  private final Arena.Block block;
  private final int rows;
  private final int vocabulary;

  ProcessingWorkspace(Arena arena, int rows, int vocabulary) {
    this.rows = rows;
    this.vocabulary = vocabulary;
    this.block = arena.take(countBytes() + 2L * Integer.BYTES * rows);
  }

  /** Bytes of the counts, so many that what lies behind them is aligned. */
  private long countBytes() {
    long bytes = (long) Integer.BYTES * rows * vocabulary;
    return (bytes + Long.BYTES - 1) / Long.BYTES * Long.BYTES;
  }

  /** int32 {@code [rows, vocabulary]}. */
  DeviceTensor counts() {
    return DeviceTensor.of(block.buffer(), block.offset(), ElementType.INT32, rows, vocabulary);
  }

  /** int32 {@code [rows, 2]}. */
  DeviceTensor positions() {
    return DeviceTensor.of(
        block.buffer(), block.offset() + countBytes(), ElementType.INT32, rows, 2);
  }

  @Override
  public void close() {
    block.close();
  }
}
