package dev.sparkmla.cuda;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The project's own shared library, and the functions in it (jni.cpp, over spark_mla.h).
 *
 * <p>It is taken from the jar, or from the file that the system property {@code
 * spark.mla.native.library} names. The functions are safe to call from any thread once {@link
 * #load} has returned.
 */
final class NativeLibrary {
  /** System property with a library file to load instead of the one in the jar. */
  static final String LIBRARY_PROPERTY = "spark.mla.native.library";

  static final String RESOURCE = "/native/linux-x86_64/libsparkmla.so";

  /** The version of spark_mla.h that this class speaks. */
  private static final int ABI_VERSION = 1;

  // Statuses of spark_mla.h that are told apart here; jni.cpp asserts that they agree.
  static final int STATUS_OK = 0;
  static final int STATUS_UNSUPPORTED_DEVICE = 8;
  static final int STATUS_NO_DRIVER = 9;
  static final int STATUS_CUDA_ERROR = 10;

  // Positions in the array that decode calls take; jni.cpp reads them by these names.
  static final int FLAGS = 0;
  static final int BATCH = 1;
  static final int S_Q = 2;
  static final int H_Q = 3;
  static final int H_KV = 4;
  static final int LATENT_DIM = 5;
  static final int ROPE_DIM = 6;
  static final int MAX_BLOCKS = 7;
  static final int CACHE_BLOCKS = 8;
  static final int FIXED_SPLIT_TOKENS = 9;
  static final int NUM_SM_PARTS = 10;

  /** Float.floatToRawIntBits of the scale. */
  static final int SOFTMAX_SCALE = 11;

  static final int Q = 12;
  static final int Q_STRIDE_BATCH = 13;
  static final int Q_STRIDE_TOKEN = 14;
  static final int Q_STRIDE_HEAD = 15;
  static final int K_CACHE = 16;
  static final int K_CACHE_STRIDE_BLOCK = 17;
  static final int K_CACHE_STRIDE_TOKEN = 18;
  static final int K_CACHE_STRIDE_HEAD = 19;
  static final int BLOCK_TABLE = 20;
  static final int BLOCK_TABLE_STRIDE = 21;
  static final int CACHE_SEQLENS = 22;
  static final int METADATA = 23;
  static final int NUM_SPLITS = 24;
  static final int OUT = 25;
  static final int OUT_STRIDE_BATCH = 26;
  static final int OUT_STRIDE_TOKEN = 27;
  static final int OUT_STRIDE_HEAD = 28;
  static final int LSE = 29;
  static final int WORKSPACE = 30;
  static final int WORKSPACE_BYTES = 31;
  static final int STREAM = 32;
  static final int FIELD_COUNT = 33;

  /** Bit of FLAGS. */
  static final int CAUSAL = 1;

  // Positions in the array that route takes.
  static final int ROUTE_METHOD = 0;
  static final int ROUTE_FLAGS = 1;
  static final int ROUTE_ROWS = 2;
  static final int ROUTE_EXPERTS = 3;
  static final int ROUTE_PER_TOKEN = 4;
  static final int ROUTE_GROUPS = 5;
  static final int ROUTE_GROUPS_PER_TOKEN = 6;

  /** Float.floatToRawIntBits of the scale. */
  static final int ROUTE_SCALE = 7;

  static final int ROUTE_LOGITS = 8;
  static final int ROUTE_LOGITS_STRIDE = 9;
  static final int ROUTE_BIAS = 10;
  static final int ROUTE_IDS = 11;
  static final int ROUTE_WEIGHTS = 12;
  static final int ROUTE_STREAM = 13;
  static final int ROUTE_FIELD_COUNT = 14;

  /** Bit of ROUTE_FLAGS. */
  static final int ROUTE_NORMALIZED = 1;

  // Values of ROUTE_METHOD.
  static final int ROUTE_SOFTMAX_GREEDY = 0;
  static final int ROUTE_SOFTMAX_GROUP_LIMITED = 1;
  static final int ROUTE_SIGMOID_BIASED = 2;

  // Positions in the array that experts calls take.
  static final int EXPERTS_ROWS = 0;
  static final int EXPERTS_EXPERTS = 1;
  static final int EXPERTS_PER_TOKEN = 2;
  static final int EXPERTS_HIDDEN = 3;
  static final int EXPERTS_WIDTH = 4;
  static final int EXPERTS_VALID_ROWS = 5;
  static final int EXPERTS_X = 6;
  static final int EXPERTS_X_STRIDE = 7;
  static final int EXPERTS_IDS = 8;
  static final int EXPERTS_WEIGHTS = 9;
  static final int EXPERTS_GATE_UP = 10;
  static final int EXPERTS_DOWN = 11;
  static final int EXPERTS_OUT = 12;
  static final int EXPERTS_OUT_STRIDE = 13;
  static final int EXPERTS_WORKSPACE = 14;
  static final int EXPERTS_WORKSPACE_BYTES = 15;
  static final int EXPERTS_STREAM = 16;
  static final int EXPERTS_FIELD_COUNT = 17;

  /** What the first attempt came to: null where the library is loaded. */
  private static final class Startup {
    static final String failure = start();

    private static String start() {
      try {
        String override = System.getProperty(LIBRARY_PROPERTY);
        Path file =
            override != null
                ? Path.of(override).toAbsolutePath()
                : NativeFiles.ofThisUser().unpack("libsparkmla.so", NativeFiles.resource(RESOURCE));
        System.load(file.toString());
      } catch (FileNotFoundException e) {
        return "this build holds no CUDA library: it was made on a machine without nvcc; build"
            + " spark-mla-native where native/toolchain.sh finds one";
      } catch (IOException e) {
        return "the CUDA library cannot be unpacked: " + e.getMessage();
      } catch (UnsatisfiedLinkError e) {
        return "the CUDA library cannot be loaded: " + e.getMessage();
      }
      int version = abiVersion();
      return version == ABI_VERSION
          ? null
          : "the CUDA library speaks version %d of its interface, %d is needed; rebuild it"
              .formatted(version, ABI_VERSION);
    }
  }

  private NativeLibrary() {}

  /**
   * Makes sure that the library is loaded.
   *
   * @throws CudaUnavailableException where it cannot be, every time alike
   */
  static void load() {
    Platform.requireLinuxX86();
    if (Startup.failure != null) {
      throw new CudaUnavailableException(Reason.NO_LIBRARY, Startup.failure);
    }
  }

  /**
   * Returns where a status of spark_mla.h is success.
   *
   * @throws CudaArgumentException where the library refused an argument
   * @throws CudaUnavailableException where the device or driver will not do
   * @throws CudaException where a CUDA call inside failed
   */
  static void check(int status, String call, GpuDevice device) {
    switch (status) {
      case STATUS_OK -> {}
      case STATUS_UNSUPPORTED_DEVICE ->
          throw new CudaUnavailableException(
              Reason.UNSUPPORTED_DEVICE,
              "%s: %s: %s".formatted(call, device, statusString(status)));
      case STATUS_NO_DRIVER ->
          throw new CudaUnavailableException(
              Reason.NO_DRIVER, "no CUDA driver for %s: %s".formatted(call, lastCudaErrorString()));
      case STATUS_CUDA_ERROR ->
          throw Driver.failure(call, lastCudaError(), lastCudaErrorString(), device);
      default -> throw new CudaArgumentException("%s: %s".formatted(call, statusString(status)));
    }
  }

  static native int abiVersion();

  static native String statusString(int status);

  static native int lastCudaError();

  static native String lastCudaErrorString();

  /** Host only: writes the rows of the scheduler's table into {@code parts[0]}. */
  static native int decodeSmParts(long[] fields, int[] parts);

  /** Host only: writes the bytes of workspace into {@code bytes[0]}. */
  static native int decodeWorkspaceSize(long[] fields, long[] bytes);

  static native int decodeMetadata(long[] fields);

  static native int decode(long[] fields);

  static native int decodeReference(long[] fields);

  /** Opens cuBLASLt: its file name, or null where the loader finds none. */
  static native String cublasLtOpen();

  /** The version that {@link #cublasLtOpen} found, as the library numbers it. */
  static native long cublasLtVersion();

  /** Writes a handle into {@code handle[0]}; a cublasStatus_t. */
  static native int cublasLtCreate(long[] handle);

  static native int cublasLtDestroy(long handle);

  /**
   * Chooses an algorithm that is fast at {@code typicalRows} rows; writes a plan into {@code
   * plan[0]}; a cublasStatus_t.
   *
   * @param shape the fields of ProductShape (cublas_lt.h) in their order
   */
  static native int cublasLtPlan(long handle, long[] shape, long typicalRows, long[] plan);

  static native int cublasLtRun(
      long handle, long plan, long rows, long a, long b, long c, long stream);

  static native void cublasLtFreePlan(long plan);

  /** Takes ROUTE_FIELD_COUNT fields. */
  static native int route(long[] fields);

  /** Host only: writes the bytes of workspace into {@code bytes[0]}. */
  static native int expertsWorkspaceSize(long[] fields, long[] bytes);

  /** Takes EXPERTS_FIELD_COUNT fields. */
  static native int experts(long[] fields);

  static native int expertsReference(long[] fields);
}
