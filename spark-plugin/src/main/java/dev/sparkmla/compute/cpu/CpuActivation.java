package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Activation;

/** Float32 rows outside the heap, without gaps. */
final class CpuActivation implements Activation {
  private final HostMemory memory;
  private final int rows;
  private final int columns;
  private HostBuffer buffer;

  CpuActivation(HostMemory memory, int rows, int columns) {
    this.memory = memory;
    this.rows = rows;
    this.columns = columns;
    this.buffer = memory.borrow(Math.max(1, (long) rows * columns) * Float.BYTES);
  }

  static CpuActivation of(Activation activation) {
    return (CpuActivation) activation;
  }

  HostBuffer buffer() {
    if (buffer == null) {
      throw new IllegalStateException("the activation is closed");
    }
    return buffer;
  }

  /** Copies a row into {@code to[at ..]}. */
  void readRow(int row, float[] to, int at) {
    buffer.floats().get(row * columns, to, at, columns);
  }

  /** Copies {@code from[at ..]} into a row. */
  void writeRow(int row, float[] from, int at) {
    buffer.floats().put(row * columns, from, at, columns);
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public void close() {
    if (buffer == null) {
      throw new IllegalStateException("the activation is closed already");
    }
    memory.giveBack(buffer);
    buffer = null;
  }
}
