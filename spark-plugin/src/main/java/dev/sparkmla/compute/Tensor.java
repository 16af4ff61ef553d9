package dev.sparkmla.compute;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a checkpoint: what it is called, its elements' type, its shape, and where its bytes
 * are. Its elements are little-endian and row-major, without gaps. They may be more than one buffer
 * can hold, so they lie in a list of windows; no element lies across the end of one.
 *
 * <p>Immutable and thread-safe. The bytes are not copied: where they are those of a mapped file,
 * the mapping lasts until no tensor of it is reachable.
 */
public final class Tensor {
  private final String name;
  private final DataType type;
  private final List<Integer> shape;
  private final List<ByteBuffer> windows;

  /**
   * Describes a tensor.
   *
   * @param name its name in the checkpoint
   * @param type type of its elements
   * @param shape its dimensions, outermost first; none for a scalar
   * @param windows its bytes in order, each from its position to its limit; they must not change
   * @throws IllegalArgumentException if the windows' bytes are not those of such a shape, or a
   *     window ends inside an element
   */
  public Tensor(String name, DataType type, List<Integer> shape, List<ByteBuffer> windows) {
    this.name = name;
    this.type = type;
    this.shape = List.copyOf(shape);
    this.windows = windows.stream().map(Tensor::readOnly).toList();
    long given = 0;
    for (ByteBuffer window : this.windows) {
      given += window.capacity();
      if (window.capacity() % type.bytes() != 0) {
        throw new IllegalArgumentException(
            this + " has a window of " + window.capacity() + " bytes, which ends in an element");
      }
    }
    if (given != bytes()) {
      throw new IllegalArgumentException(
          this + " has windows of " + given + " bytes; expected " + bytes());
    }
  }

  private static ByteBuffer readOnly(ByteBuffer window) {
    return window.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Its name in the checkpoint. */
  public String name() {
    return name;
  }

  /** Type of its elements. */
  public DataType type() {
    return type;
  }

  /** Its dimensions, outermost first. */
  public List<Integer> shape() {
    return shape;
  }

  /** Number of its elements. */
  public long elements() {
    long elements = 1;
    for (int size : shape) {
      elements = Math.multiplyExact(elements, size);
    }
    return elements;
  }

  /**
   * Number of elements of vectors one after the other.
   *
   * @throws IllegalArgumentException if one is no vector
   */
  public static int joinedSize(List<Tensor> parts) {
    int size = 0;
    for (Tensor part : parts) {
      if (part.shape().size() != 1) {
        throw new IllegalArgumentException(part + " is no vector");
      }
      size = Math.addExact(size, part.shape().get(0));
    }
    return size;
  }

  /** A copy as float32 whose elements are multiplied by {@code factor}. */
  public Tensor scaled(float factor) {
    FloatBuffer values = FloatBuffer.allocate(Math.toIntExact(elements()));
    int at = 0;
    for (ByteBuffer slice : slices(0, bytes())) {
      at += Float32.widen(type, slice, values, at);
    }
    ByteBuffer copy =
        ByteBuffer.allocate(Math.multiplyExact(at, DataType.F32.bytes()))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < at; i++) {
      copy.putFloat(i * DataType.F32.bytes(), values.get(i) * factor);
    }
    return new Tensor(name, DataType.F32, shape, List.of(copy));
  }

  /** Number of its bytes. */
  public long bytes() {
    return Math.multiplyExact(elements(), type.bytes());
  }

  /**
   * Some of its bytes in order, as read-only little-endian buffers from position 0 to their limit.
   * Where {@code begin} and {@code size} are whole elements, so is every buffer.
   *
   * @param begin the first byte, from the tensor's first
   * @param size how many
   * @throws IndexOutOfBoundsException if it has no such bytes
   */
  public List<ByteBuffer> slices(long begin, long size) {
    if (begin < 0 || size < 0 || begin > bytes() - size) {
      throw new IndexOutOfBoundsException(
          size + " bytes from " + begin + " on, of " + this + " with " + bytes());
    }
    List<ByteBuffer> slices = new ArrayList<>(1);
    long windowBegin = 0;
    for (ByteBuffer window : windows) {
      long windowEnd = windowBegin + window.capacity();
      long from = Math.max(begin, windowBegin);
      long to = Math.min(begin + size, windowEnd);
      if (from < to) {
        int offset = (int) (from - windowBegin);
        slices.add(window.slice(offset, (int) (to - from)).order(ByteOrder.LITTLE_ENDIAN));
      }
      windowBegin = windowEnd;
    }
    return slices;
  }

  @Override
  public String toString() {
    return "tensor " + name + " " + type + shape;
  }
}
