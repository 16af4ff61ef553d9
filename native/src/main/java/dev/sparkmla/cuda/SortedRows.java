package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireAligned;
import static dev.sparkmla.cuda.TensorChecks.requireArray;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import java.util.Optional;

/**
 * Rows that {@link Experts#sort} has brought together by expert, in the workspace it was given.
 * They are added once, on the sort's stream or on one that waits for it.
 *
 * <p>Immutable and thread-safe.
 */
public final class SortedRows extends DeviceKernels {
  private final ExpertsShape shape;
  private final Optional<Float8Scaling> scaling;
  private final long[] sorted;
  private final Optional<DeviceTensor> validRows;
  private final DeviceBuffer workspace;

  /**
   * @param sorted the arguments of the sort
   */
  SortedRows(
      CudaContext context,
      ExpertsShape shape,
      Optional<Float8Scaling> scaling,
      long[] sorted,
      Optional<DeviceTensor> validRows,
      DeviceBuffer workspace) {
    super(context);
    this.validRows = validRows;
    this.workspace = workspace;
    this.shape = shape;
    this.scaling = scaling;
    this.sorted = sorted;
  }

  /**
   * Enqueues the experts of one layer.
   *
   * @param weights float32 [n, perToken], contiguous
   * @param gateUp bfloat16 [experts, 2 · width, hidden], contiguous: the gate's rows, then up's
   * @param down bfloat16 [experts, hidden, width], contiguous
   * @param out float32 [n, hidden], columns contiguous, the row stride a multiple of 4; added to
   * @param norm of the sum, as {@link RowOperations#normalize} computes it, also in rows that are
   *     not valid; hidden at most 8192
   * @param stream of the sort's context
   * @throws CudaArgumentException where any of this does not hold, or rows were sorted for FP8
   *     weights, before anything is launched
   * @throws IllegalStateException where memory of the sort was closed
   * @throws CudaException where the launch fails
   */
  public void add(
      DeviceTensor weights,
      DeviceTensor gateUp,
      DeviceTensor down,
      DeviceTensor out,
      Optional<RowNorm> norm,
      CudaStream stream) {
    add(check(weights, gateUp, down, out), norm, stream);
  }

  /**
   * Enqueues the experts of one layer with FP8 weights in the scaling that rows were sorted for.
   *
   * @param gateUp float8_e4m3 [experts, 2 · width, hidden], contiguous: the gate's rows, then up's.
   *     In {@link Float8Scaling#BLOCK} up begins a new block: scales [experts, 2 · ceil(width /
   *     128), ceil(hidden / 128)], the gate's first
   * @param down float8_e4m3 [experts, hidden, width], contiguous
   * @see #add(DeviceTensor, DeviceTensor, DeviceTensor, DeviceTensor, Optional, CudaStream) the
   *     other parameters
   */
  public void add(
      DeviceTensor weights,
      Float8Weights gateUp,
      Float8Weights down,
      DeviceTensor out,
      Optional<RowNorm> norm,
      CudaStream stream) {
    add(check(weights, gateUp, down, out), norm, stream);
  }

  private void add(long[] fields, Optional<RowNorm> norm, CudaStream stream) {
    fields[NativeExperts.VALID_ROWS] = validRows.map(DeviceTensor::address).orElse(0L);
    fields[NativeExperts.WORKSPACE] = workspace.address();
    norm.ifPresent(of -> put(of, fields));
    enqueue("spark_mla_experts_add", NativeExperts::add, fields, stream);
  }

  private void put(RowNorm norm, long[] fields) {
    long rows = sorted[NativeExperts.ROWS];
    requireRows(context, "gain", norm.gain(), ElementType.FLOAT32, shape.hidden());
    fields[NativeExperts.GAIN] = norm.gain().address();
    fields[NativeExperts.EPSILON] = Float.floatToRawIntBits(norm.epsilon());
    norm.out()
        .bfloat16()
        .ifPresent(
            tensor -> {
              requireRows(context, "normed", tensor, ElementType.BFLOAT16, rows, shape.hidden());
              fields[NativeExperts.NORMED] = tensor.address();
              fields[NativeExperts.NORMED_STRIDE] = tensor.stride(0);
            });
    norm.out()
        .float8()
        .ifPresent(
            quantized -> {
              quantized.require(context, "normed", rows, shape.hidden());
              fields[NativeExperts.FLOAT8_OUT] = quantized.values().address();
              fields[NativeExperts.FLOAT8_STRIDE] = quantized.values().stride(0);
              fields[NativeExperts.FLOAT8_SCALES] = quantized.scales().address();
              fields[NativeExperts.FLOAT8_SCALES_STRIDE] = quantized.scales().stride(0);
            });
  }

  /** Checks everything but norm and stream, and returns the call's arguments without them. */
  long[] check(DeviceTensor weights, DeviceTensor gateUp, DeviceTensor down, DeviceTensor out) {
    requireScaling(Optional.empty());
    long[] fields = check(weights, out);
    requireMatrices("gateUp", gateUp, shape.experts(), 2L * shape.width(), shape.hidden());
    requireMatrices("down", down, shape.experts(), shape.hidden(), shape.width());
    fields[NativeExperts.GATE_UP] = gateUp.address();
    fields[NativeExperts.DOWN] = down.address();
    return fields;
  }

  /** The same for FP8 weights. */
  long[] check(DeviceTensor weights, Float8Weights gateUp, Float8Weights down, DeviceTensor out) {
    CudaArgumentException.require(
        gateUp.scaling() == down.scaling(),
        "gateUp and down must have the same scaling, have %s and %s",
        gateUp.scaling(),
        down.scaling());
    requireScaling(Optional.of(gateUp.scaling()));
    long[] fields = check(weights, out);
    gateUp.requireExperts(context, "gateUp", shape.experts(), 2, shape.width(), shape.hidden());
    down.requireExperts(context, "down", shape.experts(), 1, shape.hidden(), shape.width());
    fields[NativeExperts.GATE_UP] = gateUp.values().address();
    fields[NativeExperts.GATE_UP_SCALES] = gateUp.scales().address();
    fields[NativeExperts.DOWN] = down.values().address();
    fields[NativeExperts.DOWN_SCALES] = down.scales().address();
    return fields;
  }

  private long[] check(DeviceTensor weights, DeviceTensor out) {
    long rows = sorted[NativeExperts.ROWS];
    requireRows(context, "out", out, ElementType.FLOAT32, 4, 16, new long[] {rows, shape.hidden()});
    requireArray(context, "weights", weights, ElementType.FLOAT32, rows, shape.perToken());
    long[] fields = sorted.clone();
    fields[NativeExperts.WEIGHTS] = weights.address();
    fields[NativeExperts.OUT] = out.address();
    fields[NativeExperts.OUT_STRIDE] = out.stride(0);
    return fields;
  }

  private void requireScaling(Optional<Float8Scaling> given) {
    CudaArgumentException.require(
        given.equals(scaling),
        "weights must be %s, as the rows were sorted for, are %s",
        name(scaling),
        name(given));
  }

  private static String name(Optional<Float8Scaling> scaling) {
    return scaling.map(of -> "FP8 with scales by " + of).orElse("bfloat16");
  }

  private void requireMatrices(String name, DeviceTensor tensor, long... shape) {
    requireArray(context, name, tensor, ElementType.BFLOAT16, shape);
    requireAligned(name, tensor, 16);
  }
}
