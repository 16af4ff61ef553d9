package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Float32;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.WeightVector;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;

/** A vector in the heap, where the loops over elements read it. */
final class CpuVector implements WeightVector {
  private float[] values;

  CpuVector(List<Tensor> parts) {
    values = new float[Tensor.joinedSize(parts)];
    FloatBuffer target = FloatBuffer.wrap(values);
    int at = 0;
    for (Tensor part : parts) {
      for (ByteBuffer slice : part.slices(0, part.bytes())) {
        at += Float32.widen(part.type(), slice, target, at);
      }
    }
  }

  /** The elements; not to be changed. */
  static float[] of(WeightVector vector) {
    return ((CpuVector) vector).values();
  }

  private float[] values() {
    if (values == null) {
      throw new IllegalStateException("the vector is closed");
    }
    return values;
  }

  @Override
  public int size() {
    return values().length;
  }

  @Override
  public void close() {
    values();
    values = null;
  }
}
