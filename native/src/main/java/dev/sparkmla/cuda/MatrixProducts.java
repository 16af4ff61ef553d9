package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import java.util.HashMap;
import java.util.Map;

/**
 * Dense products through cuBLASLt on one device: c = a · bᵀ, a and b bfloat16, sums in float32, c
 * bfloat16 or float32. (A linear layer's weight as published, [out, in], is such a b.) The library
 * is looked up when this is opened (libcublasLt.so.13, then .12): it is large, and belongs to the
 * CUDA installation of the host.
 *
 * <p>An algorithm is chosen the first time that a shape is met, for row counts up to the next power
 * of two. All of them add up k in one piece and in the same order, so a row's result does not
 * depend on how many rows there are; {@code MatrixProductsTest} holds them to it bit by bit.
 *
 * <p>Calls only enqueue, need no workspace and may be captured into a graph. Thread-safe.
 */
public final class MatrixProducts implements AutoCloseable {
  private static final String KIND = "cuBLASLt handles";
  private static final int FEWEST_ROWS = 16;
  private static final int MOST_ROWS = 8192;

  private final CudaContext context;
  private final long handle;
  private final Map<Shape, Long> plans = new HashMap<>();
  private boolean closed;

  /** What an algorithm depends on; strides in elements. */
  private record Shape(
      long typicalRows,
      long n,
      long k,
      int batch,
      boolean rowsOfN,
      boolean floatResult,
      boolean add,
      long aStride,
      long aBatch,
      long bStride,
      long bBatch,
      long cStride,
      long cBatch) {}

  private MatrixProducts(CudaContext context, long handle) {
    this.context = context;
    this.handle = handle;
    context.opened(KIND);
  }

  /**
   * Opens cuBLASLt.
   *
   * @throws CudaUnavailableException where the loader finds none, or this build has no native
   *     library
   */
  public static MatrixProducts open(CudaContext context) {
    NativeLibrary.load();
    if (NativeLibrary.cublasLtOpen() == null) {
      throw new CudaUnavailableException(
          Reason.NO_CUBLASLT,
          "neither libcublasLt.so.13 nor libcublasLt.so.12 is on the loader's path; install"
              + " CUDA's cuBLAS or add its folder to LD_LIBRARY_PATH");
    }
    context.makeCurrent();
    long[] handle = new long[1];
    check(NativeLibrary.cublasLtCreate(handle), "cublasLtCreate", context.device());
    return new MatrixProducts(context, handle[0]);
  }

  /** The file that was found and its version, such as "libcublasLt.so.13 130101". */
  public String description() {
    return NativeLibrary.cublasLtOpen() + " " + NativeLibrary.cublasLtVersion();
  }

  /**
   * Enqueues c = a · bᵀ. Rows are contiguous, start at multiples of 16 bytes and may have gaps
   * between them.
   *
   * @param a bfloat16 [m, k]
   * @param b bfloat16 [n, k]
   * @param c gets bfloat16 or float32 [m, n]
   * @throws CudaArgumentException where a tensor is of the wrong type, shape or alignment
   * @throws CudaException where cuBLASLt has no algorithm for it
   */
  public void multiply(DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    run(a, b, c, false, stream);
  }

  /** Enqueues c += a · bᵀ, c float32; else as {@link #multiply}. */
  public void multiplyAdd(DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    CudaArgumentException.require(
        c.type() == ElementType.FLOAT32, "c must be float32 to be added to, is %s", c);
    run(a, b, c, true, stream);
  }

  private void run(DeviceTensor a, DeviceTensor b, DeviceTensor c, boolean add, CudaStream stream) {
    CudaArgumentException.require(
        a.rank() == 2 && b.rank() == 2, "a product of %s and %s, not of two matrices", a, b);
    long m = a.dimension(0);
    long k = a.dimension(1);
    long n = b.dimension(0);
    requireOperands(a, b, c);
    requireRows(context, "a", a, ElementType.BFLOAT16, m, k);
    requireRows(context, "b", b, ElementType.BFLOAT16, n, k);
    requireRows(context, "c", c, c.type(), m, n);
    enqueue(
        new Shape(
            typicalRows(m),
            n,
            k,
            1,
            false,
            c.type() == ElementType.FLOAT32,
            add,
            a.stride(0),
            0,
            b.stride(0),
            0,
            c.stride(0),
            0),
        m,
        a,
        b,
        c,
        stream);
  }

  /**
   * Enqueues a product for each head: c[:, h] = a[:, h] · b[h]ᵀ, or · b[h] where {@code rowsOfN}.
   *
   * @param a bfloat16 [m, heads, k]
   * @param b bfloat16 [heads, n, k], or [heads, k, n] where {@code rowsOfN}
   * @param c gets bfloat16 or float32 [m, heads, n]
   * @throws CudaArgumentException where a tensor is of the wrong type, shape or alignment
   * @throws CudaException where cuBLASLt has no algorithm for it
   */
  public void multiplyHeads(
      DeviceTensor a, DeviceTensor b, boolean rowsOfN, DeviceTensor c, CudaStream stream) {
    CudaArgumentException.require(
        a.rank() == 3 && b.rank() == 3, "a product by head of %s and %s", a, b);
    long m = a.dimension(0);
    long heads = a.dimension(1);
    long k = a.dimension(2);
    long n = b.dimension(rowsOfN ? 2 : 1);
    requireOperands(a, b, c);
    requireRows(context, "a", a, ElementType.BFLOAT16, m, heads, k);
    requireRows(context, "b", b, ElementType.BFLOAT16, heads, rowsOfN ? k : n, rowsOfN ? n : k);
    requireRows(context, "c", c, c.type(), m, heads, n);
    enqueue(
        new Shape(
            typicalRows(m),
            n,
            k,
            Math.toIntExact(heads),
            rowsOfN,
            c.type() == ElementType.FLOAT32,
            false,
            a.stride(0),
            a.stride(1),
            b.stride(1),
            b.stride(0),
            c.stride(0),
            c.stride(1)),
        m,
        a,
        b,
        c,
        stream);
  }

  private void requireOperands(DeviceTensor a, DeviceTensor b, DeviceTensor c) {
    CudaArgumentException.require(
        c.type() == ElementType.BFLOAT16 || c.type() == ElementType.FLOAT32,
        "a product of %s and %s cannot give %s",
        a,
        b,
        c);
  }

  private static long typicalRows(long m) {
    long rows = FEWEST_ROWS;
    while (rows < m && rows < MOST_ROWS) {
      rows *= 2;
    }
    return rows;
  }

  private synchronized void enqueue(
      Shape shape, long m, DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    requireOpen();
    requireContext("stream", stream.context(), context);
    context.makeCurrent();
    check(
        NativeLibrary.cublasLtRun(
            handle,
            plans.computeIfAbsent(shape, this::plan),
            m,
            a.address(),
            b.address(),
            c.address(),
            stream.address()),
        "cublasLtMatmul",
        context.device());
  }

  private long plan(Shape shape) {
    long[] plan = new long[1];
    check(
        NativeLibrary.cublasLtPlan(
            handle,
            new long[] {
              shape.n,
              shape.k,
              shape.batch,
              shape.rowsOfN ? 1 : 0,
              shape.floatResult ? 1 : 0,
              shape.add ? 1 : 0,
              shape.aStride,
              shape.aBatch,
              shape.bStride,
              shape.bBatch,
              shape.cStride,
              shape.cBatch
            },
            shape.typicalRows,
            plan),
        "cublasLtMatmulAlgoGetHeuristic for " + shape,
        context.device());
    return plan[0];
  }

  /**
   * Products that were enqueued must be done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public synchronized void close() {
    requireOpen();
    closed = true;
    context.closed(KIND);
    context.makeCurrent();
    plans.values().forEach(NativeLibrary::cublasLtFreePlan);
    check(NativeLibrary.cublasLtDestroy(handle), "cublasLtDestroy", context.device());
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("cuBLASLt is closed");
    }
  }

  private static void check(int status, String call, GpuDevice device) {
    if (status != 0) {
      throw new CudaException(call, status, "a cublasStatus_t", device);
    }
  }
}
