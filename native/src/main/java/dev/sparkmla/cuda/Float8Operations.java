package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

/**
 * Conversion to and from FP8. A call only enqueues work on its stream and may be captured into a
 * graph; a row's result does not depend on the others.
 *
 * <p>Immutable and thread-safe.
 */
public final class Float8Operations extends DeviceKernels {
  Float8Operations(CudaContext context) {
    super(context);
  }

  /** The operations of a device that {@link CudaContext#requireKernels} accepts. */
  public static Float8Operations on(CudaContext context) {
    return new Float8Operations(context.requireKernels());
  }

  /**
   * Enqueues quantizing rows: the scale of 128 columns is their largest absolute value / 448 (1
   * where all are 0), a value the nearest to element / scale, ties to even.
   *
   * @param in bfloat16 or float32 [m, k], k a multiple of 16, rows at multiples of 16 bytes
   * @param out gets m rows of k columns
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void quantize(DeviceTensor in, Float8Rows out, CudaStream stream) {
    long m = in.dimension(0);
    long k = in.dimension(1);
    requireRows(context, "in", in, in.type(), m, k);
    out.require(context, "out", m, k);
    long[] fields = new long[NativeFloat8.FIELD_COUNT];
    fields[NativeFloat8.M] = requireCount("rows", m);
    fields[NativeFloat8.K] = requireCount("columns", k);
    fields[NativeFloat8.IN_TYPE] = RowOperations.code(in.type());
    fields[NativeFloat8.IN] = in.address();
    fields[NativeFloat8.IN_STRIDE] = in.stride(0);
    fields[NativeFloat8.OUT] = out.values().address();
    fields[NativeFloat8.OUT_STRIDE] = out.values().stride(0);
    fields[NativeFloat8.OUT_SCALES] = out.scales().address();
    fields[NativeFloat8.OUT_SCALES_STRIDE] = out.scales().stride(0);
    enqueue("spark_mla_float8_quantize", NativeFloat8::quantize, fields, stream);
  }

  /**
   * Enqueues {@code out = values * scales}, rounded to bfloat16.
   *
   * @param in one matrix [n, k]
   * @param out gets bfloat16 [n, k], rows at multiples of 16 bytes
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void dequantize(Float8Weights in, DeviceTensor out, CudaStream stream) {
    long n = out.dimension(0);
    long k = out.dimension(1);
    in.requireMatrix(context, "in", n, k);
    requireRows(context, "out", out, ElementType.BFLOAT16, n, k);
    long[] fields = new long[NativeFloat8.FIELD_COUNT];
    fields[NativeFloat8.N] = requireCount("rows", n);
    fields[NativeFloat8.K] = requireCount("columns", k);
    NativeFloat8.putWeights(fields, in);
    fields[NativeFloat8.OUT] = out.address();
    fields[NativeFloat8.OUT_STRIDE] = out.stride(0);
    enqueue("spark_mla_float8_dequantize", NativeFloat8::dequantize, fields, stream);
  }
}
