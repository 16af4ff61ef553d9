package dev.sparkmla.cuda;

/**
 * The decode functions of spark_mla.h in {@link NativeLibrary} (jni_decode.cpp). Arguments are the
 * fields of spark_mla_decode_args.
 */
final class NativeDecode {
  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int FLAGS = 1;
  static final int BATCH = 2;
  static final int S_Q = 3;
  static final int H_Q = 4;
  static final int H_KV = 5;
  static final int LATENT_DIM = 6;
  static final int ROPE_DIM = 7;
  static final int MAX_BLOCKS = 8;
  static final int CACHE_BLOCKS = 9;
  static final int SPLIT_POLICY = 10;
  static final int NUM_SM_PARTS = 11;
  static final int SOFTMAX_SCALE = 12;
  static final int Q = 13;
  static final int Q_STRIDE_BATCH = 14;
  static final int Q_STRIDE_TOKEN = 15;
  static final int Q_STRIDE_HEAD = 16;
  static final int K_CACHE = 17;
  static final int K_CACHE_STRIDE_BLOCK = 18;
  static final int K_CACHE_STRIDE_TOKEN = 19;
  static final int K_CACHE_STRIDE_HEAD = 20;
  static final int BLOCK_TABLE = 21;
  static final int BLOCK_TABLE_STRIDE = 22;
  static final int CACHE_SEQLENS = 23;
  static final int METADATA = 24;
  static final int NUM_SPLITS = 25;
  static final int OUT = 26;
  static final int OUT_STRIDE_BATCH = 27;
  static final int OUT_STRIDE_TOKEN = 28;
  static final int OUT_STRIDE_HEAD = 29;
  static final int LSE = 30;
  static final int WORKSPACE = 31;
  static final int WORKSPACE_BYTES = 32;
  static final int SETTLED = 33;
  static final int FIELD_COUNT = 34;

  /** Bit of FLAGS. */
  static final int CAUSAL = 1;

  // Values of SPLIT_POLICY.
  static final int SPLIT_BALANCED = 0;
  static final int SPLIT_BY_LENGTH = 1;

  private NativeDecode() {}

  /** Host only: whether decode is built for keys of these sizes. */
  static native boolean supports(int latentDim, int ropeDim);

  /** Host only: writes the rows of the scheduler's table into {@code parts[0]}. */
  static native int smParts(long[] fields, long[] parts);

  /** Host only: writes the bytes of workspace into {@code bytes[0]}. */
  static native int workspaceSize(long[] fields, long[] bytes);

  static native int metadata(long[] fields);

  static native int decode(long[] fields);

  static native int reference(long[] fields);
}
