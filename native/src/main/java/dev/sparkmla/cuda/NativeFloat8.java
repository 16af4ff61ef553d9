package dev.sparkmla.cuda;

/**
 * The functions of spark_mla_float8.h in {@link NativeLibrary} (jni_float8.cpp). Arguments are the
 * fields of each function's struct.
 */
final class NativeFloat8 {
  // Values of SCALING.
  static final int BLOCK = 1;
  static final int CHANNEL = 2;

  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int M = 1;
  static final int N = 2;
  static final int K = 3;
  static final int ADD = 4;
  static final int IN = 5;
  static final int IN_TYPE = 6;
  static final int IN_STRIDE = 7;
  static final int IN_SCALES = 8;
  static final int IN_SCALES_STRIDE = 9;
  static final int WEIGHTS = 10;
  static final int WEIGHTS_STRIDE = 11;
  static final int WEIGHT_SCALES = 12;
  static final int SCALING = 13;
  static final int OUT = 14;
  static final int OUT_TYPE = 15;
  static final int OUT_STRIDE = 16;
  static final int OUT_SCALES = 17;
  static final int OUT_SCALES_STRIDE = 18;
  static final int FIELD_COUNT = 19;

  private NativeFloat8() {}

  /** The number of a scaling in spark_mla_float8.h. */
  static int code(Float8Scaling scaling) {
    return switch (scaling) {
      case BLOCK -> BLOCK;
      case CHANNEL -> CHANNEL;
    };
  }

  /** Puts a matrix of weights in its places. */
  static void putWeights(long[] fields, Float8Weights weights) {
    fields[WEIGHTS] = weights.values().address();
    fields[WEIGHTS_STRIDE] = weights.values().stride(0);
    fields[WEIGHT_SCALES] = weights.scales().address();
    fields[SCALING] = code(weights.scaling());
  }

  static native int quantize(long[] fields);

  static native int dequantize(long[] fields);

  static native int gemm(long[] fields);
}
