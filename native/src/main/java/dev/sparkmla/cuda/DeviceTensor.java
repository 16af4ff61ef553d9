package dev.sparkmla.cuda;

import java.util.Arrays;
import java.util.Objects;

/**
 * A view of a {@link DeviceBuffer} as an array of elements: type, shape and strides. It owns
 * nothing; it is usable while its buffer is open. Immutable.
 *
 * <p>Element {@code [i0, i1, ...]} lies {@code i0 * stride(0) + i1 * stride(1) + ...} elements
 * after the first. Every element lies inside the buffer; that is checked when the view is made.
 */
public final class DeviceTensor {
  private final DeviceBuffer buffer;
  private final long byteOffset;
  private final ElementType type;
  private final long[] shape;
  private final long[] strides;

  private DeviceTensor(
      DeviceBuffer buffer, long byteOffset, ElementType type, long[] shape, long[] strides) {
    this.buffer = Objects.requireNonNull(buffer, "buffer");
    this.byteOffset = byteOffset;
    this.type = Objects.requireNonNull(type, "type");
    this.shape = shape.clone();
    this.strides = strides.clone();
    CudaArgumentException.require(
        shape.length >= 1 && shape.length == strides.length,
        "a tensor of %d dimensions with %d strides",
        shape.length,
        strides.length);
    long last = 0;
    try {
      for (int axis = 0; axis < shape.length; axis++) {
        CudaArgumentException.require(
            shape[axis] >= 1, "dimension %d of %s is %d", axis, this, shape[axis]);
        CudaArgumentException.require(
            strides[axis] >= 0, "stride %d of %s is %d", axis, this, strides[axis]);
        last = Math.addExact(last, Math.multiplyExact(shape[axis] - 1, strides[axis]));
      }
      long end =
          Math.addExact(byteOffset, Math.multiplyExact(Math.addExact(last, 1), type.bytes()));
      CudaArgumentException.require(
          byteOffset >= 0 && end <= buffer.bytes(),
          "%s at byte %d ends at byte %d of a buffer of %d",
          this,
          byteOffset,
          end,
          buffer.bytes());
    } catch (ArithmeticException e) {
      throw new CudaArgumentException("%s is larger than any memory".formatted(this));
    }
  }

  /**
   * A contiguous tensor that starts {@code byteOffset} bytes into a buffer.
   *
   * @param shape at least one dimension, each at least 1
   * @throws CudaArgumentException where it does not lie inside the buffer
   */
  public static DeviceTensor of(
      DeviceBuffer buffer, long byteOffset, ElementType type, long... shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int axis = shape.length - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= Math.max(shape[axis], 1);
    }
    return new DeviceTensor(buffer, byteOffset, type, shape, strides);
  }

  /**
   * A tensor with strides of its own, in elements, none negative.
   *
   * @throws CudaArgumentException where it does not lie inside the buffer
   */
  public static DeviceTensor strided(
      DeviceBuffer buffer, long byteOffset, ElementType type, long[] shape, long[] strides) {
    return new DeviceTensor(buffer, byteOffset, type, shape, strides);
  }

  /** The memory behind it. */
  public DeviceBuffer buffer() {
    return buffer;
  }

  /** What its elements are. */
  public ElementType type() {
    return type;
  }

  /** How many dimensions it has. */
  public int rank() {
    return shape.length;
  }

  /** Elements along a dimension. */
  public long dimension(int axis) {
    return shape[axis];
  }

  /** Elements from one index of a dimension to the next. */
  public long stride(int axis) {
    return strides[axis];
  }

  /**
   * The device address of its first element.
   *
   * @throws IllegalStateException where the buffer is closed
   */
  public long address() {
    return buffer.address() + byteOffset;
  }

  /** Such as "bfloat16 [2, 1, 16, 576]". */
  @Override
  public String toString() {
    return type + " " + Arrays.toString(shape);
  }
}
