package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import java.util.Optional;

/**
 * Dense GEMMs with FP8 weights: c = a · bᵀ, a quantized by {@link Float8Operations#quantize}. The
 * tensor cores multiply e4m3 values; every 128 columns of k their sums are multiplied by the scales
 * and added up in float32 (DeepSeek-V3, arXiv:2412.19437, section 3.3.2), in the order of k. Scales
 * of {@link Float8Scaling#CHANNEL} multiply the whole sum.
 *
 * <p>A row's result is the same, bit for bit, whatever the other rows are and however many. A call
 * only enqueues work on its stream, needs no workspace and may be captured into a graph.
 *
 * <p>From {@value #LIBRARY_ROWS} rows on, where m is a multiple of 4 and weights have block scales,
 * cuBLASLt computes it, which is faster there and rounds alike: {@code Float8GpuTest} compares bit
 * by bit.
 *
 * <p>Thread-safe; the library's GEMM is closed after the last call.
 */
public final class Float8Gemm extends DeviceKernels {
  /** The fewest rows of a GEMM that is left to cuBLASLt: below, the own kernel is faster. */
  public static final int LIBRARY_ROWS = 256;

  private final Optional<Gemm> library;
  private final int libraryRows;

  Float8Gemm(CudaContext context, Optional<Gemm> library, int libraryRows) {
    super(context);
    this.library = library;
    this.libraryRows = libraryRows;
  }

  /**
   * The GEMM of a device that {@link CudaContext#requireKernels} accepts.
   *
   * @param library cuBLASLt on that device, which stays the caller's
   */
  public static Float8Gemm on(CudaContext context, Gemm library) {
    return on(context, library, LIBRARY_ROWS);
  }

  /**
   * The same with another border than {@link #LIBRARY_ROWS}, for tests and benchmarks.
   *
   * @param libraryRows the fewest rows that cuBLASLt computes
   */
  public static Float8Gemm on(CudaContext context, Gemm library, int libraryRows) {
    return new Float8Gemm(context.requireKernels(), Optional.of(library), libraryRows);
  }

  /**
   * Enqueues c = a · bᵀ.
   *
   * @param a m rows of k columns
   * @param b one matrix [n, k], n a multiple of 8
   * @param c gets bfloat16 or float32 [m, n], rows contiguous and at multiples of 16 bytes
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void multiply(Float8Rows a, Float8Weights b, DeviceTensor c, CudaStream stream) {
    run(a, b, c, false, stream);
  }

  /** Enqueues c += a · bᵀ, c float32; else as {@link #multiply}. */
  public void multiplyAdd(Float8Rows a, Float8Weights b, DeviceTensor c, CudaStream stream) {
    CudaArgumentException.require(
        c.type() == ElementType.FLOAT32, "c must be float32 to be added to, is %s", c);
    run(a, b, c, true, stream);
  }

  private void run(Float8Rows a, Float8Weights b, DeviceTensor c, boolean add, CudaStream stream) {
    CudaArgumentException.require(
        c.type() == ElementType.BFLOAT16 || c.type() == ElementType.FLOAT32,
        "c must be bfloat16 or float32, is %s",
        c);
    CudaArgumentException.require(
        c.rank() == 2 && a.values().rank() == 2,
        "a GEMM of %s gives %s, not of two matrices a third",
        a.values(),
        c);
    long m = c.dimension(0);
    long n = c.dimension(1);
    long k = a.values().dimension(1);
    CudaArgumentException.require(
        n % Float8Weights.ROW_MULTIPLE == 0,
        "n must be a multiple of %d, is %d",
        Float8Weights.ROW_MULTIPLE,
        n);
    a.require(context, "a", m, k);
    b.requireMatrix(context, "b", n, k);
    requireRows(context, "c", c, c.type(), m, n);
    if (m >= libraryRows
        && library.isPresent()
        && library.get().multiplyFloat8(a, b, c, add, stream)) {
      return;
    }
    long[] fields = new long[NativeFloat8.FIELD_COUNT];
    fields[NativeFloat8.M] = requireCount("m", m);
    fields[NativeFloat8.N] = requireCount("n", n);
    fields[NativeFloat8.K] = requireCount("k", k);
    fields[NativeFloat8.ADD] = add ? 1 : 0;
    fields[NativeFloat8.IN] = a.values().address();
    fields[NativeFloat8.IN_STRIDE] = a.values().stride(0);
    fields[NativeFloat8.IN_SCALES] = a.scales().address();
    fields[NativeFloat8.IN_SCALES_STRIDE] = a.scales().stride(0);
    NativeFloat8.putWeights(fields, b);
    fields[NativeFloat8.OUT_TYPE] = RowOperations.code(c.type());
    fields[NativeFloat8.OUT] = c.address();
    fields[NativeFloat8.OUT_STRIDE] = c.stride(0);
    enqueue("spark_mla_float8_gemm", NativeFloat8::gemm, fields, stream);
  }
}
