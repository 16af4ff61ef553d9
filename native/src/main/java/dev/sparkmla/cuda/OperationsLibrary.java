package dev.sparkmla.cuda;

/**
 * The functions of spark_mla_ops.h, in {@link NativeLibrary}, which loads them (jni_ops.cpp).
 * Parameters are the structs' fields in their order; addresses are numbers; each returns a status.
 */
final class OperationsLibrary {
  // spark_mla_element; jni_ops.cpp asserts that they agree.
  static final int BFLOAT16 = 0;
  static final int FLOAT32 = 1;
  static final int FLOAT16 = 2;

  /** Bytes of a spark_mla_sampling: float, int, float, int, long. */
  static final int SAMPLING_BYTES = 24;

  private OperationsLibrary() {}

  static native int embed(
      int rows,
      int columns,
      int tableRows,
      long tokens,
      long previous,
      long table,
      long out,
      long stream);

  static native int rmsNorm(
      int rows,
      int columns,
      int inType,
      float epsilon,
      long in,
      long inStride,
      long gain,
      long out,
      long outStride,
      long stream);

  static native int ropeTable(
      int positions, double factor, long inverseFrequencies, long out, long stream);

  static native int writeCache(
      int rows,
      int inType,
      boolean interleaved,
      float epsilon,
      int positions,
      long in,
      long inStride,
      long gain,
      long angles,
      long position,
      long slot,
      long cache,
      long stream);

  static native int rotate(
      int rows,
      int heads,
      boolean interleaved,
      int positions,
      long in,
      long inStride,
      long inHead,
      long out,
      long outStride,
      long outHead,
      long angles,
      long position,
      long stream);

  static native int gate(
      int rows, int width, long gateUp, long gateUpStride, long out, long outStride, long stream);

  static native int gatherRows(int rows, int columns, long in, long row, long out, long stream);

  static native int addBias(
      int rows, int columns, int outType, long bias, long out, long outStride, long stream);

  static native int sample(
      int rows,
      int columns,
      long logits,
      long logitsStride,
      long sampling,
      long tokens,
      long logProbability,
      long stream);

  static native int convert(int inType, int outType, long count, long in, long out, long stream);

  static native int random(
      int outType, float mean, float deviation, long seed, long count, long out, long stream);
}
