package dev.sparkmla.cuda;

import dev.sparkmla.kvcache.CacheShape;

/**
 * The functions of spark_mla_ops.h in {@link NativeLibrary} (jni_operations.cpp). Arguments are the
 * fields of each function's struct.
 */
final class NativeOperations {
  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int ROWS = 1;
  static final int COLUMNS = 2;
  static final int COUNT = 3;
  static final int IN = 4;
  static final int IN_TYPE = 5;
  static final int IN_ROWS = 6;
  static final int IN_STRIDE = 7;
  static final int IN_HEAD = 8;
  static final int OUT = 9;
  static final int OUT_TYPE = 10;
  static final int OUT_STRIDE = 11;
  static final int OUT_HEAD = 12;
  static final int TABLE = 13;
  static final int TABLE_ROWS = 14;
  static final int TOKENS = 15;
  static final int PREVIOUS = 16;
  static final int PREVIOUS_ROWS = 17;
  static final int EPSILON = 18;
  static final int GAIN = 19;
  static final int BIAS = 20;
  static final int ROW = 21;
  static final int HEADS = 22;
  static final int POSITION = 23;
  static final int POSITIONS = 24;
  static final int ANGLES = 25;
  static final int PAIRS = 26;
  static final int FACTOR = 27;
  static final int INVERSE_FREQUENCIES = 28;
  static final int INTERLEAVED = 29;
  static final int LATENT_DIM = 30;
  static final int ROPE_DIM = 31;
  static final int SLOT = 32;
  static final int CACHE = 33;
  static final int BLOCKS = 34;
  static final int SAMPLING = 35;
  static final int SCALE = 36;
  static final int FLOAT8_OUT = 37;
  static final int FLOAT8_STRIDE = 38;
  static final int FLOAT8_SCALES = 39;
  static final int FLOAT8_SCALES_STRIDE = 40;
  static final int PROCESSING = 41;
  static final int WORDS = 42;
  static final int TOKENS_CACHE = 43;
  static final int COUNTS = 44;
  static final int AUTOMATA = 45;
  static final int AUTOMATA_WORDS = 46;
  static final int POSITIONS_BEFORE = 47;
  static final int NEW_POSITIONS = 48;
  static final int QUERY_ROWS = 49;
  static final int QUERIES = 50;
  static final int QUERIES_STRIDE = 51;
  static final int QUERIES_HEAD = 52;
  static final int FIELD_COUNT = 53;

  // Values of IN_TYPE and OUT_TYPE.
  static final int BFLOAT16 = 0;
  static final int FLOAT32 = 1;
  static final int FLOAT16 = 2;

  /** The token of a row of logits that holds NaN or positive infinity. */
  static final int NOT_A_NUMBER = -2;

  /** Tokens in a block of the cache; jni_operations.cpp holds the kernels to it. */
  static final int PAGE_TOKENS = CacheShape.PAGE;

  private NativeOperations() {}

  /** Host only: whether a cache of these sizes can be written. */
  static native boolean cacheSupports(int latentDim, int ropeDim);

  static native int embed(long[] fields);

  static native int writeTokens(long[] fields);

  static native int rmsNorm(long[] fields);

  static native int ropeTable(long[] fields);

  static native int writeCache(long[] fields);

  static native int rotate(long[] fields);

  static native int gate(long[] fields);

  static native int gatherRows(long[] fields);

  static native int addBias(long[] fields);

  static native int processLogits(long[] fields);

  static native int sample(long[] fields);

  static native int logprobs(long[] fields);

  static native int convert(long[] fields);
}
