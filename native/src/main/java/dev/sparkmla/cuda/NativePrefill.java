package dev.sparkmla.cuda;

/**
 * The prefill functions of spark_mla.h in {@link NativeLibrary} (jni_prefill.cpp). Arguments are
 * the fields of spark_mla_prefill_args and spark_mla_gather_cache_args.
 */
final class NativePrefill {
  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int FLAGS = 1;
  static final int SEGMENTS = 2;
  static final int HEADS = 3;
  static final int TOTAL_Q = 4;
  static final int TOTAL_K = 5;
  static final int NOPE_DIM = 6;
  static final int ROPE_DIM = 7;
  static final int VALUE_DIM = 8;
  static final int SOFTMAX_SCALE = 9;
  static final int Q = 10;
  static final int Q_STRIDE_TOKEN = 11;
  static final int Q_STRIDE_HEAD = 12;
  static final int KV = 13;
  static final int KV_STRIDE_TOKEN = 14;
  static final int KV_STRIDE_HEAD = 15;
  static final int K_ROPE = 16;
  static final int K_ROPE_STRIDE_TOKEN = 17;
  static final int CU_Q = 18;
  static final int CU_K = 19;
  static final int Q_OFFSET = 20;
  static final int OUT = 21;
  static final int OUT_STRIDE_TOKEN = 22;
  static final int OUT_STRIDE_HEAD = 23;
  static final int LSE = 24;
  static final int LATENT_DIM = 25;
  static final int MAX_BLOCKS = 26;
  static final int CACHE_BLOCKS = 27;
  static final int CACHE = 28;
  static final int CACHE_STRIDE_BLOCK = 29;
  static final int CACHE_STRIDE_TOKEN = 30;
  static final int BLOCK_TABLE = 31;
  static final int BLOCK_TABLE_STRIDE = 32;
  static final int FIRST_KEY = 33;
  static final int LATENTS = 34;
  static final int LATENTS_STRIDE = 35;
  static final int ROPE = 36;
  static final int ROPE_STRIDE = 37;
  static final int NEXT_TILE = 38;
  static final int FIELD_COUNT = 39;

  /** Bit of FLAGS. */
  static final int MERGE = 1;

  private NativePrefill() {}

  /** Host only: whether attention is built for keys and values of these sizes. */
  static native boolean supports(int nopeDim, int ropeDim, int valueDim);

  static native int attention(long[] fields);

  static native int attentionReference(long[] fields);

  static native int gatherCache(long[] fields);
}
