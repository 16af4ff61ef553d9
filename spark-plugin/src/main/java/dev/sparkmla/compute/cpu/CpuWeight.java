package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Weight;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Parameters outside the heap: bf16 as they came, f16 widened to float32 (bf16 could not hold its
 * digits), float32. One row is kept in the heap as well, for what goes by element.
 */
final class CpuWeight implements Weight {
  private final HostMemory memory;
  private final int rows;
  private final int columns;
  private final boolean narrow;
  private final float[] vector;
  private HostBuffer buffer;

  CpuWeight(HostMemory memory, DataType type, int rows, int columns, ByteBuffer data) {
    this.memory = memory;
    this.rows = rows;
    this.columns = columns;
    this.narrow = type == DataType.BF16;
    int elements = Math.multiplyExact(rows, columns);
    this.buffer = memory.take((long) elements * (narrow ? Short.BYTES : Float.BYTES));
    ByteBuffer source = data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case BF16 -> buffer.shorts().put(0, source.asShortBuffer(), 0, elements);
      case F32 -> buffer.floats().put(0, source.asFloatBuffer(), 0, elements);
      case F16 -> {
        ShortBuffer halves = source.asShortBuffer();
        for (int i = 0; i < elements; i++) {
          buffer.floats().put(i, widenHalf(halves.get(i)));
        }
      }
    }
    this.vector = rows == 1 ? new float[columns] : null;
    if (vector != null) {
      readRow(0, vector);
    }
  }

  static CpuWeight of(Weight weight) {
    return (CpuWeight) weight;
  }

  private static float widenHalf(short half) {
    int exponent = half >> 10 & 0x1f;
    int fraction = half & 0x3ff;
    int sign = (half & 0x8000) << 16;
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int bits = exponent == 0x1f ? 0x7f800000 : exponent + 112 << 23;
    return Float.intBitsToFloat(sign | bits | fraction << 13);
  }

  private HostBuffer buffer() {
    if (buffer == null) {
      throw new IllegalStateException("the weight is closed");
    }
    return buffer;
  }

  /** The only row. */
  float[] vector() {
    if (vector == null) {
      throw new IllegalArgumentException("a weight of " + rows + " rows is no vector");
    }
    return vector;
  }

  /** Copies a row into {@code to[0 ..]}. */
  void readRow(int row, float[] to) {
    if (narrow) {
      ShortBuffer shorts = buffer().shorts();
      for (int i = 0; i < columns; i++) {
        to[i] = Float.intBitsToFloat(shorts.get(row * columns + i) << 16);
      }
    } else {
      buffer().floats().get(row * columns, to, 0, columns);
    }
  }

  /** Rows as float32 {@code [count, columns]}: in place, or widened into {@code scratch}. */
  FloatPointer panel(int firstRow, int count, Scratch scratch) {
    if (!narrow) {
      return buffer().at((long) firstRow * columns);
    }
    HostBuffer wide = scratch.buffer(Scratch.Use.PANEL, (long) count * columns);
    BFloat16.widen(buffer().shorts(), firstRow * columns, wide.floats(), 0, count * columns);
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
  public void close() {
    if (buffer == null) {
      throw new IllegalStateException("the weight is closed already");
    }
    memory.free(buffer);
    buffer = null;
  }
}
