package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;

/**
 * What loading weights needs on the device: conversion and random numbers. Each only enqueues.
 *
 * <p>Immutable and thread-safe.
 */
public final class ElementOperations {
  private final CudaContext context;

  private ElementOperations(CudaContext context) {
    this.context = context;
  }

  /**
   * Readies the operations on a device.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public static ElementOperations on(CudaContext context) {
    context.device().requireHopper();
    NativeLibrary.load();
    return new ElementOperations(context);
  }

  /**
   * Enqueues {@code out[i] = in[i]}, rounded to the nearest, to even between two.
   *
   * @param in bfloat16, float16 or float32 [count]
   * @param out gets bfloat16 or float32 [count]
   * @throws CudaArgumentException where this does not hold
   */
  public void convert(DeviceTensor in, DeviceTensor out, CudaStream stream) {
    requireVector("in", in, in.dimension(0));
    requireVector("out", out, in.dimension(0));
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.convert(
            RowOperations.code(in.type()),
            RowOperations.code(out.type()),
            in.dimension(0),
            in.address(),
            out.address(),
            stream.address()),
        "spark_mla_convert",
        context.device());
  }

  /**
   * Enqueues {@code out[i] = mean + deviation * sqrt(3) * (2u - 1)} in float32, rounded to bf16; u
   * is the upper 24 bits of number i, from 0 on, of SplitMix64 from {@code seed}, times 2^-24.
   *
   * @param out gets bfloat16 or float32 [count]
   * @throws CudaArgumentException where this does not hold
   */
  public void draw(float mean, float deviation, long seed, DeviceTensor out, CudaStream stream) {
    requireVector("out", out, out.dimension(0));
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.random(
            RowOperations.code(out.type()),
            mean,
            deviation,
            seed,
            out.dimension(0),
            out.address(),
            stream.address()),
        "spark_mla_random",
        context.device());
  }

  private void begin(CudaStream stream) {
    requireContext("stream", stream.context(), context);
    context.makeCurrent();
  }

  private void requireVector(String name, DeviceTensor tensor, long count) {
    TensorChecks.requireShape(name, tensor, count);
    TensorChecks.requireContiguous(name, tensor);
    requireContext(name, tensor.buffer().context(), context);
  }
}
