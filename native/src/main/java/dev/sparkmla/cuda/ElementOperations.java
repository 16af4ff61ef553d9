package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireArray;

/**
 * Operations on vectors that loading weights needs: conversion to another type. A call only
 * enqueues work on its stream.
 *
 * <p>Immutable and thread-safe.
 */
public final class ElementOperations extends DeviceKernels {
  ElementOperations(CudaContext context) {
    super(context);
  }

  /** The operations of a device that {@link CudaContext#requireKernels} accepts. */
  public static ElementOperations on(CudaContext context) {
    return new ElementOperations(context.requireKernels());
  }

  /**
   * Enqueues {@code out[i] = in[i]}, rounded to nearest, ties to even.
   *
   * @param in bfloat16, float16 or float32 [count]
   * @param out gets bfloat16 or float32 [count]
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void convert(DeviceTensor in, DeviceTensor out, CudaStream stream) {
    long count = in.dimension(0);
    requireArray(context, "in", in, in.type(), count);
    requireArray(context, "out", out, out.type(), count);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.COUNT] = count;
    fields[NativeOperations.IN_TYPE] = RowOperations.code(in.type());
    fields[NativeOperations.IN] = in.address();
    fields[NativeOperations.OUT_TYPE] = RowOperations.code(out.type());
    fields[NativeOperations.OUT] = out.address();
    enqueue("spark_mla_convert", NativeOperations::convert, fields, stream);
  }
}
