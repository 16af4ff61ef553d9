package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Weight;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.FloatPointer;

/** Parameters outside the heap, each row in the format that holds its matrix exactly. */
final class CpuWeight implements Weight {
  /** Bytes of one buffer, so that an int counts its elements: a larger matrix lies in several. */
  static final long BUFFER_BYTES = 1L << 30;

  private final HostMemory memory;
  private final int rows;
  private final int columns;
  private final List<CpuRows> parts = new ArrayList<>();
  private boolean closed;

  CpuWeight(HostMemory memory, List<MatrixSource> sources) {
    this(memory, sources, BUFFER_BYTES);
  }

  /** Copies matrices in, into buffers of {@code bufferBytes} or of one row where that is more. */
  CpuWeight(HostMemory memory, List<MatrixSource> sources, long bufferBytes) {
    this.memory = memory;
    this.rows = MatrixSource.stackedRows(sources);
    this.columns = sources.get(0).columns();
    try {
      int first = 0;
      for (MatrixSource source : sources) {
        int most = (int) Math.max(1, Math.min(rows, bufferBytes / CpuRows.rowBytes(source)));
        for (int row = 0; row < source.rows(); row += most) {
          int count = Math.min(most, source.rows() - row);
          parts.add(new CpuRows(memory, source, row, first + row, count));
        }
        first += source.rows();
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  static CpuWeight of(Weight weight) {
    return (CpuWeight) weight;
  }

  private List<CpuRows> parts() {
    if (closed) {
      throw new IllegalStateException("the weight is closed");
    }
    return parts;
  }

  /** The part that holds a row. */
  private CpuRows holding(int row) {
    for (CpuRows part : parts()) {
      if (part.holds(row, row + 1)) {
        return part;
      }
    }
    throw new IndexOutOfBoundsException("row " + row + " of a weight of " + rows);
  }

  /** Copies a row into {@code to[0 ..]}. */
  void readRow(int row, float[] to) {
    holding(row).read(row, to);
  }

  /** Rows as float32 {@code [count, columns]}: in place, or widened into {@code scratch}. */
  FloatPointer panel(int firstRow, int count, Scratch scratch) {
    CpuRows start = holding(firstRow);
    if (start.isFloat32() && start.holds(firstRow, firstRow + count)) {
      return start.pointer(firstRow);
    }
    HostBuffer wide = scratch.buffer(Scratch.Use.PANEL, (long) count * columns);
    parts().forEach(part -> part.widen(firstRow, firstRow + count, wide));
    return wide.at(0);
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
  public List<RowRange> ranges() {
    return parts().stream().map(CpuRows::range).toList();
  }

  @Override
  public Set<Precision> inputs() {
    return Set.of(Precision.BFLOAT16);
  }

  @Override
  public void close() {
    parts().forEach(part -> part.free(memory));
    closed = true;
  }
}
