package dev.sparkmla.cuda;

import java.util.Optional;

/**
 * The grouped products of a mixture-of-experts layer: {@code out[i] += Σ_j weights[i, j] · down_e ·
 * (silu(gate_e · x[i]) * (up_e · x[i]))} with {@code e = ids[i, j]} (DeepSeek-V2, arXiv:2405.04434,
 * section 2.2; silu as in Shazeer 2020, arXiv:2002.05202).
 *
 * <p>Which expert gets how many tokens is known to the device alone: a call only enqueues work on
 * its stream, neither allocates nor waits, and may be captured into a {@link CudaGraph}. Products
 * accumulate in float32; the activation and each expert's result are rounded to bfloat16, the sum
 * over experts is float32 in the order of {@code ids}. The same input gives bit-identical output,
 * and a row's output does not depend on the other rows.
 *
 * <p>Immutable and thread-safe; calls that share a workspace belong on one stream.
 */
public final class Experts {
  private static final int WORKSPACE_ALIGNMENT = 128;

  private final CudaContext context;

  /** For tests of argument checks, which need neither device nor library. */
  Experts(CudaContext context) {
    this.context = context;
  }

  /**
   * Readies the products on a device.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public static Experts on(CudaContext context) {
    context.device().requireHopper();
    NativeLibrary.load();
    return new Experts(context);
  }

  /**
   * Bytes of scratch memory that {@link #add} needs for up to so many rows; about 2 · rows ·
   * perToken · (hidden + width).
   *
   * @throws CudaArgumentException where rows are less than 1 or too many
   */
  public long workspaceBytes(ExpertsShape shape, int rows) {
    shape.checkRows(rows);
    long[] fields = new long[NativeLibrary.EXPERTS_FIELD_COUNT];
    describe(shape, rows, fields);
    long[] bytes = new long[1];
    NativeLibrary.check(
        NativeLibrary.expertsWorkspaceSize(fields, bytes),
        "spark_mla_experts_workspace_size",
        context.device());
    return bytes[0];
  }

  /**
   * Enqueues the experts of one layer.
   *
   * @param x bfloat16 [n, hidden], columns contiguous, the row stride a multiple of 8
   * @param validRows int32 [1]: how many rows, from the first, are computed; the others are neither
   *     read nor written and cost next to nothing. Empty: all
   * @param ids int32 [n, perToken], contiguous; one outside 0 to experts − 1 chooses no expert
   * @param weights float32 [n, perToken], contiguous
   * @param gateUp bfloat16 [experts, 2 · width, hidden], contiguous: the gate's rows, then up's
   * @param down bfloat16 [experts, hidden, width], contiguous
   * @param workspace at least {@link #workspaceBytes} for n rows; what it holds is lost
   * @param out float32 [n, hidden], columns contiguous, the row stride a multiple of 4; added to
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this does not hold, before anything is launched
   * @throws CudaException where the launch fails
   */
  public void add(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      DeviceTensor weights,
      DeviceTensor gateUp,
      DeviceTensor down,
      DeviceBuffer workspace,
      DeviceTensor out,
      CudaStream stream) {
    long[] fields = check(shape, x, validRows, ids, weights, gateUp, down, out);
    TensorChecks.requireContext("workspace", workspace.context(), context);
    TensorChecks.requireContext("stream", stream.context(), context);
    CudaArgumentException.require(
        workspace.address() % WORKSPACE_ALIGNMENT == 0,
        "workspace must start at a multiple of %d bytes, starts at 0x%x",
        WORKSPACE_ALIGNMENT,
        workspace.address());
    long needed = workspaceBytes(shape, Math.toIntExact(x.dimension(0)));
    CudaArgumentException.require(
        workspace.bytes() >= needed,
        "workspace must have %d bytes for %d rows, has %d",
        needed,
        x.dimension(0),
        workspace.bytes());
    fields[NativeLibrary.EXPERTS_WORKSPACE] = workspace.address();
    fields[NativeLibrary.EXPERTS_WORKSPACE_BYTES] = workspace.bytes();
    fields[NativeLibrary.EXPERTS_STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(NativeLibrary.experts(fields), "spark_mla_experts", context.device());
  }

  /** The same function computed plainly, slowly: the oracle of tests. */
  void reference(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      DeviceTensor weights,
      DeviceTensor gateUp,
      DeviceTensor down,
      DeviceTensor out,
      CudaStream stream) {
    long[] fields = check(shape, x, validRows, ids, weights, gateUp, down, out);
    fields[NativeLibrary.EXPERTS_STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(
        NativeLibrary.expertsReference(fields), "spark_mla_experts_reference", context.device());
  }

  /** Checks everything but workspace and stream, and returns it as native code takes it. */
  long[] check(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      DeviceTensor weights,
      DeviceTensor gateUp,
      DeviceTensor down,
      DeviceTensor out) {
    long rows = x.dimension(0);
    shape.checkRows(rows);
    requireRows("x", x, ElementType.BFLOAT16, rows, shape.hidden(), 8, 16, context);
    requireRows("out", out, ElementType.FLOAT32, rows, shape.hidden(), 4, 16, context);
    validRows.ifPresent(
        tensor -> requireContiguous("validRows", tensor, ElementType.INT32, context, 1));
    requireContiguous("ids", ids, ElementType.INT32, context, rows, shape.perToken());
    requireContiguous("weights", weights, ElementType.FLOAT32, context, rows, shape.perToken());
    requireContiguous(
        "gateUp",
        gateUp,
        ElementType.BFLOAT16,
        context,
        shape.experts(),
        2L * shape.width(),
        shape.hidden());
    TensorChecks.requireAligned("gateUp", gateUp, 16);
    requireContiguous(
        "down",
        down,
        ElementType.BFLOAT16,
        context,
        shape.experts(),
        shape.hidden(),
        shape.width());
    TensorChecks.requireAligned("down", down, 16);

    long[] fields = new long[NativeLibrary.EXPERTS_FIELD_COUNT];
    describe(shape, rows, fields);
    fields[NativeLibrary.EXPERTS_VALID_ROWS] = validRows.map(DeviceTensor::address).orElse(0L);
    fields[NativeLibrary.EXPERTS_X] = x.address();
    fields[NativeLibrary.EXPERTS_X_STRIDE] = x.stride(0);
    fields[NativeLibrary.EXPERTS_IDS] = ids.address();
    fields[NativeLibrary.EXPERTS_WEIGHTS] = weights.address();
    fields[NativeLibrary.EXPERTS_GATE_UP] = gateUp.address();
    fields[NativeLibrary.EXPERTS_DOWN] = down.address();
    fields[NativeLibrary.EXPERTS_OUT] = out.address();
    fields[NativeLibrary.EXPERTS_OUT_STRIDE] = out.stride(0);
    return fields;
  }

  private static void describe(ExpertsShape shape, long rows, long[] fields) {
    fields[NativeLibrary.EXPERTS_ROWS] = rows;
    fields[NativeLibrary.EXPERTS_EXPERTS] = shape.experts();
    fields[NativeLibrary.EXPERTS_PER_TOKEN] = shape.perToken();
    fields[NativeLibrary.EXPERTS_HIDDEN] = shape.hidden();
    fields[NativeLibrary.EXPERTS_WIDTH] = shape.width();
  }

  /** Requires [rows, columns] with contiguous columns and evenly aligned rows. */
  static void requireRows(
      String name,
      DeviceTensor tensor,
      ElementType type,
      long rows,
      long columns,
      int strideMultiple,
      int alignment,
      CudaContext context) {
    TensorChecks.requireType(name, tensor, type);
    TensorChecks.requireShape(name, tensor, rows, columns);
    CudaArgumentException.require(
        columns == 1 || tensor.stride(1) == 1, "%s's columns must be contiguous", name);
    CudaArgumentException.require(
        tensor.stride(0) % strideMultiple == 0 && (rows == 1 || tensor.stride(0) >= columns),
        "%s's row stride must be a multiple of %d and at least %d, is %d",
        name,
        strideMultiple,
        columns,
        tensor.stride(0));
    TensorChecks.requireAligned(name, tensor, alignment);
    TensorChecks.requireContext(name, tensor.buffer().context(), context);
  }

  static void requireContiguous(
      String name, DeviceTensor tensor, ElementType type, CudaContext context, long... shape) {
    TensorChecks.requireType(name, tensor, type);
    TensorChecks.requireShape(name, tensor, shape);
    TensorChecks.requireContiguous(name, tensor);
    TensorChecks.requireAligned(name, tensor, type.bytes());
    TensorChecks.requireContext(name, tensor.buffer().context(), context);
  }
}
