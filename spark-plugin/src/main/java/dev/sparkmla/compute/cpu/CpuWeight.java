package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Parameters outside the heap: bf16 where all parts are, else float32, since bf16 could not hold
 * f16's digits. One row is kept in the heap as well, for what goes by element.
 */
final class CpuWeight implements Weight {
  private final HostMemory memory;
  private final int rows;
  private final int columns;
  private final boolean narrow;
  private final float[] vector;
  private HostBuffer buffer;

  CpuWeight(HostMemory memory, int rows, int columns, List<WeightSource> parts) {
    this.memory = memory;
    this.rows = rows;
    this.columns = columns;
    this.narrow = parts.stream().allMatch(part -> part.type() == DataType.BF16);
    int elements = Math.multiplyExact(rows, columns);
    long given = parts.stream().mapToLong(WeightSource::elements).sum();
    if (given != elements) {
      throw new IllegalArgumentException(
          parts.get(0).name() + " has " + given + " elements; expected " + rows + " x " + columns);
    }
    this.buffer = memory.take((long) elements * (narrow ? Short.BYTES : Float.BYTES));
    int at = 0;
    for (WeightSource part : parts) {
      if (part instanceof WeightSource.Stored stored) {
        copy(stored, at);
      } else if (part instanceof WeightSource.Drawn drawn) {
        draw(drawn, at);
      }
      at += (int) part.elements();
    }
    this.vector = rows == 1 ? new float[columns] : null;
    if (vector != null) {
      readRow(0, vector);
    }
  }

  private void copy(WeightSource.Stored part, int at) {
    ByteBuffer source = part.data().slice().order(ByteOrder.LITTLE_ENDIAN);
    int elements = (int) part.elements();
    switch (part.type()) {
      case BF16 -> {
        if (narrow) {
          buffer.shorts().put(at, source.asShortBuffer(), 0, elements);
        } else {
          BFloat16.widen(source, 0, buffer.view(), at, elements);
        }
      }
      case F32 -> buffer.floats().put(at, source.asFloatBuffer(), 0, elements);
      case F16 -> {
        ShortBuffer halves = source.asShortBuffer();
        for (int i = 0; i < elements; i++) {
          buffer.floats().put(at + i, widenHalf(halves.get(i)));
        }
      }
    }
  }

  private void draw(WeightSource.Drawn part, int at) {
    float factor = part.deviation() * (float) Math.sqrt(3);
    for (int i = 0; i < part.elements(); i++) {
      float unit = (SplitMix64.number(part.seed(), i) >>> 40) * 0x1p-24f;
      short value = BFloat16.round(part.mean() + factor * (2 * unit - 1));
      if (narrow) {
        buffer.shorts().put(at + i, value);
      } else {
        buffer.floats().put(at + i, Float.intBitsToFloat(value << 16));
      }
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
    BFloat16.widen(buffer().view(), firstRow * columns, wide.view(), 0, count * columns);
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
