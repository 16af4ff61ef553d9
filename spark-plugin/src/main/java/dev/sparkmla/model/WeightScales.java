package dev.sparkmla.model;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Float32;
import dev.sparkmla.compute.Tensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;

/**
 * What weights in 8 bits are multiplied by. Every quantizer makes scales above 0; with another one
 * the weights that it belongs to would be 0, of the wrong sign or NaN.
 */
final class WeightScales {
  private WeightScales() {}

  /**
   * Refuses scales that are none.
   *
   * @param file the tensor's
   * @throws ModelFormatException when they are in 8 bits themselves; when one is not a finite
   *     number above 0, naming the first
   */
  static void check(Path file, Tensor scales) {
    if (scales.type() == DataType.F8_E4M3) {
      throw new ModelFormatException(file, scales + " are scales; expected F32, F16 or BF16");
    }
    FloatBuffer values = FloatBuffer.allocate(Math.toIntExact(scales.elements()));
    int count = 0;
    for (ByteBuffer slice : scales.slices(0, scales.bytes())) {
      count += Float32.widen(scales.type(), slice, values, count);
    }
    for (int i = 0; i < count; i++) {
      float scale = values.get(i);
      if (!Float.isFinite(scale) || scale <= 0) {
        throw new ModelFormatException(
            file,
            "tensor "
                + scales.name()
                + " holds the scale "
                + scale
                + " at element "
                + i
                + "; expected finite numbers above 0");
      }
    }
  }
}
