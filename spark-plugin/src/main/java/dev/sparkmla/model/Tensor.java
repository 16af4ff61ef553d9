package dev.sparkmla.model;

import dev.sparkmla.compute.DataType;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A tensor of a checkpoint, where the file is mapped. Immutable; the buffer is read-only and any
 * thread may read a duplicate of it.
 *
 * @param name its name in the checkpoint
 * @param type type of its elements
 * @param shape its dimensions, outermost first; row-major without gaps
 * @param data its elements, little-endian, from position 0 to the limit
 */
public record Tensor(String name, DataType type, int[] shape, ByteBuffer data) {
  /** Number of elements. */
  public long elements() {
    return data.capacity() / type.bytes();
  }

  @Override
  public String toString() {
    return name + " " + type + Arrays.toString(shape);
  }
}
