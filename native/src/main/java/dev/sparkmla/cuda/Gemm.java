package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Dense GEMMs on one device: c = a · bᵀ, a and b bfloat16, sums in float32, c bfloat16 or float32.
 * (A linear layer's published weight, [out, in], is such a b.)
 *
 * <p>Up to {@value #FEW_ROWS} rows of a, where b is not large, an own kernel computes them, which
 * overlaps with the kernels before and after; else cuBLASLt does. The library is looked up when
 * this is opened (libcublasLt.so.13, then .12); it is part of the host's CUDA installation, not of
 * this project. An algorithm of it is chosen when a shape is first met, for row counts up to the
 * next power of two.
 *
 * <p>The kernel and all of these algorithms add up k without splitting it and in the same order, so
 * a row's result does not depend on how many rows there are; {@code GemmGpuTest} compares bit by
 * bit.
 *
 * <p>b is read as soon as the kernel enqueued before has begun: it must not be that one's result.
 *
 * <p>Calls only enqueue, need no workspace and may be captured into a graph. Thread-safe. Enqueued
 * work must be done when it is closed.
 */
public final class Gemm extends ContextResource {
  /** The most rows of a that the own kernel computes. */
  public static final int FEW_ROWS = NativeGemm.FEW_ROWS;

  /** What n must be a multiple of for the own kernel. */
  private static final int OWN_MULTIPLE = 8;

  /** What k must be a multiple of for it. */
  private static final int OWN_BOX_COLUMNS = 64;

  /** Rows of b that one of its thread blocks multiplies. */
  private static final int OWN_BLOCK_ROWS = 64;

  private static final int FEWEST_ROWS = 16;
  private static final int MOST_ROWS = 8192;

  /** cuBLASLt wants scales at multiples of 16 bytes. */
  private static final int FLOAT8_ROW_MULTIPLE = 4;

  /** The first that knows scales of blocks. */
  private static final long FLOAT8_VERSION = 120_900;

  private final long handle;
  private final Map<Shape, Long> plans = new HashMap<>();
  private final Set<Shape> withoutAlgorithm = new HashSet<>();

  /** What the choice of an algorithm depends on; strides in elements. */
  private record Shape(
      long typicalRows,
      long n,
      long k,
      int batch,
      boolean bTransposed,
      boolean floatResult,
      boolean add,
      boolean float8,
      long aStride,
      long aBatch,
      long bStride,
      long bBatch,
      long cStride,
      long cBatch) {}

  private Gemm(CudaContext context, long handle) {
    super(context, "cuBLASLt handle");
    this.handle = handle;
  }

  /**
   * Opens cuBLASLt.
   *
   * @throws CudaUnavailableException where the loader finds none, or this build has no native
   *     library
   * @throws CudaException where cuBLASLt refuses, for want of memory for instance
   */
  public static Gemm open(CudaContext context) {
    NativeLibrary.load();
    if (NativeGemm.library() == null) {
      throw new CudaUnavailableException(
          Reason.NO_CUBLASLT,
          "neither libcublasLt.so.13 nor libcublasLt.so.12 is on the loader's path; install"
              + " CUDA's cuBLAS or add its folder to LD_LIBRARY_PATH");
    }
    context.makeCurrent();
    long[] handle = new long[1];
    check(NativeGemm.create(handle), "cublasLtCreate", context.device());
    return new Gemm(context, handle[0]);
  }

  /** The file that was found and its version, such as "libcublasLt.so.13 130101". */
  public String description() {
    return NativeGemm.library() + " " + NativeGemm.version();
  }

  /**
   * Enqueues c = a · bᵀ. Rows are contiguous, start at multiples of 16 bytes and may have gaps
   * between them.
   *
   * @param a bfloat16 [m, k]
   * @param b bfloat16 [n, k]
   * @param c gets bfloat16 or float32 [m, n]
   * @throws CudaArgumentException where a tensor is of the wrong type, shape or alignment
   * @throws CudaException where the launch fails, or cuBLASLt has no algorithm for it
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
        a.rank() == 2 && b.rank() == 2, "a GEMM of %s and %s, not of two matrices", a, b);
    long m = a.dimension(0);
    long k = a.dimension(1);
    long n = b.dimension(0);
    requireResult(a, b, c);
    requireRows(context(), "a", a, ElementType.BFLOAT16, m, k);
    requireRows(context(), "b", b, ElementType.BFLOAT16, n, k);
    requireRows(context(), "c", c, c.type(), m, n);
    Shape shape =
        new Shape(
            typicalRows(m),
            n,
            k,
            1,
            false,
            c.type() == ElementType.FLOAT32,
            add,
            false,
            a.stride(0),
            0,
            b.stride(0),
            0,
            c.stride(0),
            0);
    enqueue(shape, a, b, c, stream);
  }

  /**
   * Enqueues a GEMM for each head: c[:, h] = a[:, h] · b[h]ᵀ, or · b[h] where {@code bTransposed}.
   *
   * @param a bfloat16 [m, heads, k]
   * @param b bfloat16 [heads, n, k], or [heads, k, n] where {@code bTransposed}
   * @param c gets bfloat16 or float32 [m, heads, n]
   * @throws CudaArgumentException where a tensor is of the wrong type, shape or alignment
   * @throws CudaException where the launch fails, or cuBLASLt has no algorithm for it
   */
  public void multiplyHeads(
      DeviceTensor a, DeviceTensor b, boolean bTransposed, DeviceTensor c, CudaStream stream) {
    CudaArgumentException.require(
        a.rank() == 3 && b.rank() == 3, "a GEMM by head of %s and %s", a, b);
    long m = a.dimension(0);
    long heads = a.dimension(1);
    long k = a.dimension(2);
    long n = b.dimension(bTransposed ? 2 : 1);
    requireResult(a, b, c);
    requireRows(context(), "a", a, ElementType.BFLOAT16, m, heads, k);
    requireRows(
        context(), "b", b, ElementType.BFLOAT16, heads, bTransposed ? k : n, bTransposed ? n : k);
    requireRows(context(), "c", c, c.type(), m, heads, n);
    Shape shape =
        new Shape(
            typicalRows(m),
            n,
            k,
            requireCount("heads", heads),
            bTransposed,
            c.type() == ElementType.FLOAT32,
            false,
            false,
            a.stride(0),
            a.stride(1),
            b.stride(1),
            b.stride(0),
            c.stride(0),
            c.stride(1));
    enqueue(shape, a, b, c, stream);
  }

  private static void requireResult(DeviceTensor a, DeviceTensor b, DeviceTensor c) {
    CudaArgumentException.require(
        c.type() == ElementType.BFLOAT16 || c.type() == ElementType.FLOAT32,
        "a GEMM of %s and %s cannot give %s, only bfloat16 or float32",
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

  /**
   * Enqueues c = a · bᵀ or c += a · bᵀ for {@link Float8Gemm}, which has checked the tensors, where
   * cuBLASLt has such a GEMM: with block-scaled weights and m a multiple of 4, from version 12.9
   * on.
   *
   * @return false where it has none, and nothing was enqueued
   */
  synchronized boolean multiplyFloat8(
      Float8Rows a, Float8Weights b, DeviceTensor c, boolean add, CudaStream stream) {
    long m = a.values().dimension(0);
    long n = b.values().dimension(0);
    long k = a.values().dimension(1);
    if (b.scaling() != Float8Scaling.BLOCK
        || m % FLOAT8_ROW_MULTIPLE != 0
        || a.scales().stride(0) != m
        || NativeGemm.version() < FLOAT8_VERSION) {
      return false;
    }
    Shape shape =
        new Shape(
            typicalRows(m),
            n,
            k,
            1,
            false,
            c.type() == ElementType.FLOAT32,
            add,
            true,
            a.values().stride(0),
            0,
            b.values().stride(0),
            0,
            c.stride(0),
            0);
    if (withoutAlgorithm.contains(shape)) {
      return false;
    }
    requireOpen();
    context().makeCurrent();
    if (!plans.containsKey(shape)) {
      long[] wanted = fields(shape);
      wanted[NativeGemm.A_SCALES] = a.scales().address();
      wanted[NativeGemm.B_SCALES] = b.scales().address();
      long[] plan = new long[1];
      if (NativeGemm.plan(wanted, plan) != 0) {
        withoutAlgorithm.add(shape);
        return false;
      }
      plans.put(shape, plan[0]);
    }
    long[] fields = call(shape, a.values(), b.values(), c, stream);
    fields[NativeGemm.A_SCALES] = a.scales().address();
    fields[NativeGemm.B_SCALES] = b.scales().address();
    check(NativeGemm.run(fields), "cublasLtMatmul", context().device());
    return true;
  }

  private synchronized void enqueue(
      Shape shape, DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    requireOpen();
    context().makeCurrent();
    if (a.dimension(0) <= FEW_ROWS && ownKernelTakes(shape)) {
      multiplyFewRows(shape, a, b, c, stream);
      return;
    }
    plans.computeIfAbsent(shape, this::plan);
    check(NativeGemm.run(call(shape, a, b, c, stream)), "cublasLtMatmul", context().device());
  }

  /**
   * Whether the own kernel computes few rows of a shape. Weights that need more thread blocks than
   * there are multiprocessors are left to cuBLASLt: each such block would wait for its first bytes.
   * Those of heads as [k, n] are short, and several blocks share a multiprocessor.
   */
  private boolean ownKernelTakes(Shape shape) {
    long blocks = (shape.n + OWN_BLOCK_ROWS - 1) / OWN_BLOCK_ROWS * shape.batch;
    return shape.n % OWN_MULTIPLE == 0
        && shape.k % OWN_BOX_COLUMNS == 0
        && (shape.bTransposed || blocks <= context().device().multiprocessors());
  }

  private void multiplyFewRows(
      Shape shape, DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    long[] fields = fields(shape);
    putCall(fields, a, b, c, stream);
    fields[NativeGemm.C_TYPE] = RowOperations.code(c.type());
    NativeLibrary.check(NativeGemm.fewRows(fields), "spark_mla_gemm_few_rows", context().device());
  }

  /** A call's arguments; the shape has a plan. */
  private long[] call(
      Shape shape, DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    long[] fields = new long[NativeGemm.FIELD_COUNT];
    fields[NativeGemm.HANDLE] = handle;
    fields[NativeGemm.PLAN] = plans.get(shape);
    putCall(fields, a, b, c, stream);
    return fields;
  }

  /** What differs from call to call of a shape. */
  private void putCall(
      long[] fields, DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    requireContext("stream", stream.context(), context());
    fields[NativeGemm.M] = a.dimension(0);
    fields[NativeGemm.A] = a.address();
    fields[NativeGemm.B] = b.address();
    fields[NativeGemm.C] = c.address();
    fields[NativeGemm.STREAM] = stream.address();
  }

  private long plan(Shape shape) {
    long[] plan = new long[1];
    check(
        NativeGemm.plan(fields(shape), plan),
        "cublasLtMatmulAlgoGetHeuristic for " + shape,
        context().device());
    return plan[0];
  }

  /** What a plan depends on. */
  private long[] fields(Shape shape) {
    long[] fields = new long[NativeGemm.FIELD_COUNT];
    fields[NativeGemm.HANDLE] = handle;
    fields[NativeGemm.M] = shape.typicalRows;
    fields[NativeGemm.N] = shape.n;
    fields[NativeGemm.K] = shape.k;
    fields[NativeGemm.BATCH] = shape.batch;
    fields[NativeGemm.B_TRANSPOSED] = shape.bTransposed ? 1 : 0;
    fields[NativeGemm.FLOAT_RESULT] = shape.floatResult ? 1 : 0;
    fields[NativeGemm.ADD] = shape.add ? 1 : 0;
    fields[NativeGemm.FLOAT8] = shape.float8 ? 1 : 0;
    fields[NativeGemm.A_STRIDE] = shape.aStride;
    fields[NativeGemm.A_BATCH] = shape.aBatch;
    fields[NativeGemm.B_STRIDE] = shape.bStride;
    fields[NativeGemm.B_BATCH] = shape.bBatch;
    fields[NativeGemm.C_STRIDE] = shape.cStride;
    fields[NativeGemm.C_BATCH] = shape.cBatch;
    return fields;
  }

  @Override
  public synchronized void close() {
    super.close();
  }

  @Override
  void release() {
    context().makeCurrent();
    plans.values().forEach(NativeGemm::freePlan);
    check(NativeGemm.destroy(handle), "cublasLtDestroy", context().device());
  }

  private static void check(int status, String call, GpuDevice device) {
    if (status != 0) {
      throw new CudaException(call, status, "a cublasStatus_t", device);
    }
  }
}
