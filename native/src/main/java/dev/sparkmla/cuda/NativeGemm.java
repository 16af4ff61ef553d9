package dev.sparkmla.cuda;

/**
 * Dense GEMMs through {@link NativeLibrary} (jni_gemm.cpp): cuBLASLt's, whose arguments are the
 * fields of GemmShape and GemmCall (cublas_lt.h) and whose statuses are cublasStatus_t, and {@link
 * #fewRows}.
 */
final class NativeGemm {
  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int HANDLE = 1;
  static final int PLAN = 2;
  static final int M = 3;
  static final int N = 4;
  static final int K = 5;
  static final int BATCH = 6;
  static final int B_TRANSPOSED = 7;
  static final int FLOAT_RESULT = 8;
  static final int ADD = 9;
  static final int FLOAT8 = 10;
  static final int A = 11;
  static final int A_SCALES = 12;
  static final int A_STRIDE = 13;
  static final int A_BATCH = 14;
  static final int B = 15;
  static final int B_SCALES = 16;
  static final int B_STRIDE = 17;
  static final int B_BATCH = 18;
  static final int C = 19;
  static final int C_STRIDE = 20;
  static final int C_BATCH = 21;
  static final int C_TYPE = 22;
  static final int FIELD_COUNT = 23;

  /** The most rows of {@link #fewRows}. */
  static final int FEW_ROWS = 32;

  private NativeGemm() {}

  /** Opens cuBLASLt: its file name, or null where the loader finds none. */
  static native String library();

  /** The version of the library that {@link #library} found, as it numbers itself. */
  static native long version();

  /** Writes a handle into {@code handle[0]}. */
  static native int create(long[] handle);

  static native int destroy(long handle);

  /** Chooses an algorithm that is fast at M rows; writes a plan into {@code plan[0]}. */
  static native int plan(long[] fields, long[] plan);

  static native int run(long[] fields);

  static native void freePlan(long plan);

  /** spark_mla_gemm_few_rows of spark_mla_ops.h; a status of spark_mla.h. */
  static native int fewRows(long[] fields);
}
