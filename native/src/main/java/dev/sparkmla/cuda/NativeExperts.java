package dev.sparkmla.cuda;

/**
 * The functions of spark_mla_experts.h in {@link NativeLibrary} (jni_experts.cpp). Arguments are
 * the fields of spark_mla_route_args and spark_mla_experts_args.
 */
final class NativeExperts {
  /** Bit of FLAGS. */
  static final int NORMALIZED = 1;

  // Values of METHOD.
  static final int SOFTMAX_GREEDY = 0;
  static final int SOFTMAX_GROUP_LIMITED = 1;
  static final int SIGMOID_BIASED = 2;

  // Places of a call's arguments in the array that it takes.
  static final int STREAM = NativeLibrary.STREAM;
  static final int FLAGS = 1;
  static final int ROWS = 2;
  static final int EXPERTS = 3;
  static final int PER_TOKEN = 4;
  static final int IDS = 5;
  static final int WEIGHTS = 6;
  static final int METHOD = 7;
  static final int GROUPS = 8;
  static final int GROUPS_PER_TOKEN = 9;
  static final int SCALE = 10;
  static final int LOGITS = 11;
  static final int LOGITS_STRIDE = 12;
  static final int BIAS = 13;
  static final int HIDDEN = 14;
  static final int WIDTH = 15;
  static final int VALID_ROWS = 16;
  static final int X = 17;
  static final int X_STRIDE = 18;
  static final int GATE_UP = 19;
  static final int DOWN = 20;
  static final int OUT = 21;
  static final int OUT_STRIDE = 22;
  static final int WORKSPACE = 23;
  static final int WORKSPACE_BYTES = 24;
  static final int SCALING = 25;
  static final int GATE_UP_SCALES = 26;
  static final int DOWN_SCALES = 27;
  static final int GAIN = 28;
  static final int EPSILON = 29;
  static final int NORMED = 30;
  static final int NORMED_STRIDE = 31;
  static final int FLOAT8_OUT = 32;
  static final int FLOAT8_STRIDE = 33;
  static final int FLOAT8_SCALES = 34;
  static final int FLOAT8_SCALES_STRIDE = 35;
  static final int FIELD_COUNT = 36;

  private NativeExperts() {}

  static native int route(long[] fields);

  /** Host only: writes the bytes of workspace of the experts into {@code bytes[0]}. */
  static native int workspaceSize(long[] fields, long[] bytes);

  static native int sort(long[] fields);

  static native int add(long[] fields);

  static native int reference(long[] fields);
}
