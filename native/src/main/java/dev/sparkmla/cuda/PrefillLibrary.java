package dev.sparkmla.cuda;

/** The prefill functions of {@link NativeLibrary}, which loads them (jni_prefill.cpp). */
final class PrefillLibrary {
  // Positions in the array that attention calls take; jni_prefill.cpp reads them by these names.
  static final int FLAGS = 0;
  static final int SEGMENTS = 1;
  static final int HEADS = 2;
  static final int TOTAL_Q = 3;
  static final int TOTAL_K = 4;
  static final int NOPE_DIM = 5;
  static final int ROPE_DIM = 6;
  static final int VALUE_DIM = 7;

  /** Float.floatToRawIntBits of the scale. */
  static final int SOFTMAX_SCALE = 8;

  static final int Q = 9;
  static final int Q_STRIDE_TOKEN = 10;
  static final int Q_STRIDE_HEAD = 11;
  static final int KV = 12;
  static final int KV_STRIDE_TOKEN = 13;
  static final int KV_STRIDE_HEAD = 14;
  static final int K_ROPE = 15;
  static final int K_ROPE_STRIDE_TOKEN = 16;
  static final int CU_Q = 17;
  static final int CU_K = 18;
  static final int Q_OFFSET = 19;
  static final int OUT = 20;
  static final int OUT_STRIDE_TOKEN = 21;
  static final int OUT_STRIDE_HEAD = 22;
  static final int LSE = 23;
  static final int STREAM = 24;
  static final int FIELD_COUNT = 25;

  /** Bit of FLAGS; jni_prefill.cpp asserts that spark_mla.h agrees. */
  static final int MERGE = 1;

  // Positions in the array that the gather takes.
  static final int GATHER_SEGMENTS = 0;
  static final int GATHER_TOTAL_K = 1;
  static final int GATHER_LATENT_DIM = 2;
  static final int GATHER_ROPE_DIM = 3;
  static final int GATHER_MAX_BLOCKS = 4;
  static final int GATHER_CACHE_BLOCKS = 5;
  static final int GATHER_CACHE = 6;
  static final int GATHER_CACHE_STRIDE_BLOCK = 7;
  static final int GATHER_CACHE_STRIDE_TOKEN = 8;
  static final int GATHER_BLOCK_TABLE = 9;
  static final int GATHER_BLOCK_TABLE_STRIDE = 10;
  static final int GATHER_CU_K = 11;
  static final int GATHER_FIRST_KEY = 12;
  static final int GATHER_LATENTS = 13;
  static final int GATHER_LATENTS_STRIDE = 14;
  static final int GATHER_ROPE = 15;
  static final int GATHER_ROPE_STRIDE = 16;
  static final int GATHER_STREAM = 17;
  static final int GATHER_FIELD_COUNT = 18;

  private PrefillLibrary() {}

  static native int attention(long[] fields);

  static native int attentionReference(long[] fields);

  static native int gatherCache(long[] fields);
}
