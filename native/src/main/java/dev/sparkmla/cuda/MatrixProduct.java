package dev.sparkmla.cuda;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;

/**
 * A dense product of one fixed size through cuBLASLt: c = a · bᵀ with a [m, k], b [n, k], c [m, n],
 * all row-major and contiguous; a and b bfloat16, sums in float32, c bfloat16 or float32. (A linear
 * layer's weight as published, [out, in], is such a b.)
 *
 * <p>The algorithm is chosen when it is made; {@link #run} only enqueues and may be captured into a
 * graph. One stream at a time: two runs at once would share the workspace.
 */
public final class MatrixProduct implements AutoCloseable {
  /** What NVIDIA recommends for Hopper. */
  private static final long WORKSPACE_BYTES = 32L << 20;

  private static final String KIND = "products";

  /**
   * cuBLASLt on one device. It is looked up when this is opened (libcublasLt.so.13, then .12): the
   * library is large, and belongs to the CUDA installation of the host. Thread-safe.
   */
  public static final class Library implements AutoCloseable {
    private static final String KIND = "cuBLASLt handles";

    private final CudaContext context;
    private final long handle;
    private boolean closed;

    private Library(CudaContext context, long handle) {
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
    public static Library open(CudaContext context) {
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
      return new Library(context, handle[0]);
    }

    /** The file that was found and its version, such as "libcublasLt.so.13 130101". */
    public String description() {
      return NativeLibrary.cublasLtOpen() + " " + NativeLibrary.cublasLtVersion();
    }

    /**
     * Readies a product.
     *
     * @param resultType {@link ElementType#BFLOAT16} or {@link ElementType#FLOAT32}
     * @throws CudaArgumentException where a size is not positive
     * @throws CudaException where cuBLASLt has no algorithm for it
     */
    public synchronized MatrixProduct product(long m, long n, long k, ElementType resultType) {
      requireOpen();
      CudaArgumentException.require(
          m >= 1 && n >= 1 && k >= 1, "a product of m = %d, n = %d, k = %d", m, n, k);
      CudaArgumentException.require(
          resultType != ElementType.INT32, "a product cannot give %s", resultType);
      DeviceBuffer workspace = context.allocate(WORKSPACE_BYTES);
      try {
        long[] plan = new long[1];
        check(
            NativeLibrary.cublasLtPlan(
                handle, m, n, k, resultType == ElementType.FLOAT32, WORKSPACE_BYTES, plan),
            "cublasLtMatmulAlgoGetHeuristic for m = %d, n = %d, k = %d".formatted(m, n, k),
            context.device());
        return new MatrixProduct(this, plan[0], m, n, k, resultType, workspace);
      } catch (RuntimeException e) {
        workspace.close();
        throw e;
      }
    }

    /**
     * Every product made from it must be closed before.
     *
     * @throws IllegalStateException where it is closed already
     */
    @Override
    public synchronized void close() {
      requireOpen();
      closed = true;
      context.closed(KIND);
      context.makeCurrent();
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

  private final Library library;
  private final long plan;
  private final long m;
  private final long n;
  private final long k;
  private final ElementType resultType;
  private final DeviceBuffer workspace;
  private boolean closed;

  private MatrixProduct(
      Library library,
      long plan,
      long m,
      long n,
      long k,
      ElementType resultType,
      DeviceBuffer workspace) {
    this.library = library;
    this.plan = plan;
    this.m = m;
    this.n = n;
    this.k = k;
    this.resultType = resultType;
    this.workspace = workspace;
    library.context.opened(KIND);
  }

  /**
   * Enqueues c = a · bᵀ.
   *
   * @throws CudaArgumentException where a tensor is not contiguous, of the wrong type or shape
   */
  public void run(DeviceTensor a, DeviceTensor b, DeviceTensor c, CudaStream stream) {
    requireOpen();
    require("a", a, ElementType.BFLOAT16, m, k);
    require("b", b, ElementType.BFLOAT16, n, k);
    require("c", c, resultType, m, n);
    TensorChecks.requireContext("stream", stream.context(), library.context);
    library.context.makeCurrent();
    Library.check(
        NativeLibrary.cublasLtRun(
            library.handle,
            plan,
            a.address(),
            b.address(),
            c.address(),
            workspace.address(),
            stream.address()),
        "cublasLtMatmul",
        library.context.device());
  }

  private void require(
      String name, DeviceTensor tensor, ElementType type, long rows, long columns) {
    CudaArgumentException.require(
        tensor.type() == type
            && tensor.rank() == 2
            && tensor.dimension(0) == rows
            && tensor.dimension(1) == columns
            && tensor.stride(1) == 1
            && tensor.stride(0) == columns,
        "%s must be contiguous %s [%d, %d], is %s",
        name,
        type,
        rows,
        columns,
        tensor);
    CudaArgumentException.require(
        tensor.address() % 16 == 0, "%s must start at a multiple of 16 bytes", name);
    TensorChecks.requireContext(name, tensor.buffer().context(), library.context);
  }

  /**
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    requireOpen();
    closed = true;
    library.context.closed(KIND);
    NativeLibrary.cublasLtFreePlan(plan);
    workspace.close();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the product is closed");
    }
  }
}
