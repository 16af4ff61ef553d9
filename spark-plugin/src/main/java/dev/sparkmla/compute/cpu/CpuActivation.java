package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Activation;

/**
 * Float32 rows outside the heap, whatever their precision. Rows of a range of columns have gaps
 * between them. Behind the last row there is room up to a whole {@link Gemm#ROW_STEP}, which GEMMs
 * read and write and nothing else uses.
 */
final class CpuActivation implements Activation {
  private final HostMemory memory;
  private final CpuActivation whole;
  private final int rows;
  private final int columns;
  private final int offset;
  private HostBuffer buffer;

  CpuActivation(HostMemory memory, int rows, int columns) {
    this.memory = memory;
    this.whole = this;
    this.rows = rows;
    this.columns = columns;
    this.offset = 0;
    this.buffer = memory.borrow(Math.max(1, (long) Gemm.wholeSteps(rows) * columns) * Float.BYTES);
  }

  private CpuActivation(CpuActivation whole, int offset, int columns) {
    this.memory = whole.memory;
    this.whole = whole;
    this.rows = whole.rows;
    this.columns = columns;
    this.offset = offset;
  }

  static CpuActivation of(Activation activation) {
    return (CpuActivation) activation;
  }

  HostBuffer buffer() {
    if (whole.buffer == null) {
      throw new IllegalStateException("the activation is closed");
    }
    return whole.buffer;
  }

  /** Index of the first float. */
  int offset() {
    return offset;
  }

  /** Floats from row to row. */
  int stride() {
    return whole.columns;
  }

  /** Copies a row into {@code to[at ..]}. */
  void readRow(int row, float[] to, int at) {
    whole.buffer.floats().get(offset + row * stride(), to, at, columns);
  }

  /** Copies {@code from[at ..]} into a row. */
  void writeRow(int row, float[] from, int at) {
    whole.buffer.floats().put(offset + row * stride(), from, at, columns);
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
  public Activation columns(int first, int count) {
    if (first < 0 || count < 1 || first + count > columns) {
      throw new IllegalArgumentException(
          count + " columns from " + first + " on, of " + columns + " columns");
    }
    return new CpuActivation(whole, offset + first, count);
  }

  @Override
  public void close() {
    if (whole != this) {
      return;
    }
    if (buffer == null) {
      throw new IllegalStateException("the activation is closed already");
    }
    memory.giveBack(buffer);
    buffer = null;
  }
}
