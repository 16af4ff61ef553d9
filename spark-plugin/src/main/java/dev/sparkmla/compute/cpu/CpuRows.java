package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Float32;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight.RowRange;
import dev.sparkmla.compute.WeightFormat;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Rows of a weight in one buffer and one format. All that the CPU backend knows of a format is
 * here: how many bytes a row has, how it is copied in, and how it is widened as it is multiplied.
 */
final class CpuRows {
  private final int first;
  private final int count;
  private final int columns;
  private final WeightFormat format;
  private final Optional<CpuScales> scales;
  private final HostBuffer buffer;

  /**
   * Copies rows of a matrix in.
   *
   * @param sourceRow the first of them in the matrix
   * @param first the first of them in the weight
   * @param count how many
   */
  CpuRows(HostMemory memory, MatrixSource source, int sourceRow, int first, int count) {
    this.first = first;
    this.count = count;
    this.columns = source.columns();
    this.format = source.format();
    this.scales = CpuScales.of(source, sourceRow);
    this.buffer = memory.take(count * rowBytes(source), source.values().toString());
    try {
      load(source.values(), sourceRow);
    } catch (RuntimeException | Error e) {
      memory.free(buffer);
      throw e;
    }
  }

  /** Bytes that a row of a matrix takes here. */
  static long rowBytes(MatrixSource source) {
    return switch (source.format()) {
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> source.columns();
      case BFLOAT16 -> (long) source.columns() * Short.BYTES;
      case FLOAT32 -> (long) source.columns() * Float.BYTES;
    };
  }

  private void load(Tensor values, int sourceRow) {
    long rowBytes = (long) columns * values.type().bytes();
    int at = 0;
    for (ByteBuffer slice : values.slices(sourceRow * rowBytes, count * rowBytes)) {
      switch (format) {
        case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
          buffer.view().put(at, slice, 0, slice.capacity());
          at += slice.capacity();
        }
        case BFLOAT16 -> {
          ShortBuffer shorts = slice.asShortBuffer();
          buffer.shorts().put(at, shorts, 0, shorts.capacity());
          at += shorts.capacity();
        }
        case FLOAT32 -> at += Float32.widen(values.type(), slice, buffer.floats(), at);
      }
    }
  }

  RowRange range() {
    return new RowRange(first, count, format);
  }

  /** Whether all of the weight's rows {@code [begin, end)} are here. */
  boolean holds(int begin, int end) {
    return begin >= first && end <= first + count;
  }

  /** Copies one of the weight's rows into {@code to[0 ..]}. */
  void read(int row, float[] to) {
    int at = (row - first) * columns;
    switch (format) {
      case FLOAT8_BLOCKS, FLOAT8_ROWS ->
          scales.orElseThrow().dequantize(buffer.view(), row - first, 1, FloatBuffer.wrap(to), 0);
      case BFLOAT16 -> {
        ShortBuffer shorts = buffer.shorts();
        for (int i = 0; i < columns; i++) {
          to[i] = Float.intBitsToFloat(shorts.get(at + i) << 16);
        }
      }
      case FLOAT32 -> buffer.floats().get(at, to, 0, columns);
    }
  }

  boolean isFloat32() {
    return format == WeightFormat.FLOAT32;
  }

  /** Where one of the weight's rows lies, if they are float32. */
  FloatPointer pointer(int row) {
    return buffer.at((long) (row - first) * columns);
  }

  /**
   * Writes those of the weight's rows {@code [begin, end)} that are here to {@code to} as float32,
   * whose first row is {@code begin}.
   */
  void widen(int begin, int end, HostBuffer to) {
    int from = Math.max(begin, first);
    int rows = Math.min(end, first + count) - from;
    if (rows <= 0) {
      return;
    }
    int source = (from - first) * columns;
    int target = (from - begin) * columns;
    switch (format) {
      case FLOAT8_BLOCKS, FLOAT8_ROWS ->
          scales.orElseThrow().dequantize(buffer.view(), from - first, rows, to.floats(), target);
      case BFLOAT16 -> BFloat16.widen(buffer.view(), source, to.view(), target, rows * columns);
      case FLOAT32 -> to.floats().put(target, buffer.floats(), source, rows * columns);
    }
  }

  void free(HostMemory memory) {
    memory.free(buffer);
  }
}
