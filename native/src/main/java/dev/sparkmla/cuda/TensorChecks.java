package dev.sparkmla.cuda;

import java.util.Arrays;

/** Checks of the arguments of kernels; each names the argument that it refuses. */
final class TensorChecks {
  private static final int ALIGNMENT_BYTES = 16;
  private static final int STRIDE_MULTIPLE = 8;

  private TensorChecks() {}

  static void requireContext(String name, CudaContext actual, CudaContext wanted) {
    CudaArgumentException.require(
        actual == wanted, "%s belongs to another context: the %s", name, actual);
  }

  /** Returns a count that native code takes as an int. */
  static int requireCount(String name, long count, int most) {
    CudaArgumentException.require(
        count <= most, "%s must be at most %d, are %d", name, most, count);
    return (int) count;
  }

  /** The same where an int's own limit is the only one. */
  static int requireCount(String name, long count) {
    return requireCount(name, count, Integer.MAX_VALUE);
  }

  /**
   * A tensor that kernels read or write 16 bytes at a time: contiguous rows, aligned to 16 bytes,
   * strides of multiples of 8 elements that do not let rows overlap.
   */
  static void requireRows(
      CudaContext context, String name, DeviceTensor tensor, ElementType type, long... shape) {
    requireRows(context, name, tensor, type, STRIDE_MULTIPLE, ALIGNMENT_BYTES, shape);
  }

  /** The same for kernels that ask less of strides, in elements, and of the address, in bytes. */
  static void requireRows(
      CudaContext context,
      String name,
      DeviceTensor tensor,
      ElementType type,
      int strideMultiple,
      int alignment,
      long[] shape) {
    requireType(name, tensor, type);
    requireShape(name, tensor, shape);
    int last = shape.length - 1;
    CudaArgumentException.require(
        shape[last] == 1 || tensor.stride(last) == 1,
        "%s's last dimension must be contiguous",
        name);
    for (int axis = 0; axis < last; axis++) {
      long stride = tensor.stride(axis);
      CudaArgumentException.require(
          stride % strideMultiple == 0 && (shape[axis] == 1 || stride >= shape[last]),
          "%s's stride %d must be a multiple of %d and at least %d, is %d",
          name,
          axis,
          strideMultiple,
          shape[last],
          stride);
    }
    requireAligned(name, tensor, alignment);
    requireContext(name, tensor.buffer().context(), context);
  }

  static void requireType(String name, DeviceTensor tensor, ElementType type) {
    CudaArgumentException.require(
        tensor.type() == type, "%s must be %s, is %s", name, type, tensor);
  }

  static void requireShape(String name, DeviceTensor tensor, long... shape) {
    boolean same = tensor.rank() == shape.length;
    for (int axis = 0; same && axis < shape.length; axis++) {
      same = tensor.dimension(axis) == shape[axis];
    }
    CudaArgumentException.require(
        same, "%s must have the shape %s, is %s", name, Arrays.toString(shape), tensor);
  }

  static void requireContiguous(String name, DeviceTensor tensor) {
    long stride = 1;
    for (int axis = tensor.rank() - 1; axis >= 0; axis--) {
      CudaArgumentException.require(
          tensor.dimension(axis) == 1 || tensor.stride(axis) == stride,
          "%s must be contiguous, stride %d is %d",
          name,
          axis,
          tensor.stride(axis));
      stride *= tensor.dimension(axis);
    }
  }

  static void requireAligned(String name, DeviceTensor tensor, int bytes) {
    CudaArgumentException.require(
        tensor.address() % bytes == 0,
        "%s must start at a multiple of %d bytes, starts at 0x%x",
        name,
        bytes,
        tensor.address());
  }

  /** A contiguous vector of integers, such as lengths. */
  static void requireIntegers(CudaContext context, String name, DeviceTensor tensor, long count) {
    requireArray(context, name, tensor, ElementType.INT32, count);
  }

  /** A contiguous array that kernels read or write element by element. */
  static void requireArray(
      CudaContext context, String name, DeviceTensor tensor, ElementType type, long... shape) {
    requireType(name, tensor, type);
    requireShape(name, tensor, shape);
    requireContiguous(name, tensor);
    requireAligned(name, tensor, type.bytes());
    requireContext(name, tensor.buffer().context(), context);
  }

  /** A block table: rows of integers, one for each sequence. */
  static void requireTable(
      CudaContext context, String name, DeviceTensor tensor, long rows, long columns) {
    requireType(name, tensor, ElementType.INT32);
    requireShape(name, tensor, rows, columns);
    CudaArgumentException.require(tensor.stride(1) == 1, "%s's columns must be contiguous", name);
    CudaArgumentException.require(
        rows == 1 || tensor.stride(0) >= columns,
        "%s's rows overlap: stride %d for %d columns",
        name,
        tensor.stride(0),
        columns);
    requireAligned(name, tensor, Integer.BYTES);
    requireContext(name, tensor.buffer().context(), context);
  }

  static void requireScale(float softmaxScale) {
    CudaArgumentException.require(
        softmaxScale > 0 && Float.isFinite(softmaxScale),
        "softmaxScale must be positive and finite, is %s",
        softmaxScale);
  }
}
