package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireArray;
import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import java.util.Optional;

/**
 * The routed experts of a mixture-of-experts layer, computed as grouped GEMMs: {@code out[i] += Σ_j
 * weights[i, j] · down_e · (silu(gate_e · x[i]) * (up_e · x[i]))} with {@code e = ids[i, j]}
 * (DeepSeek-V2, arXiv:2405.04434, section 2.2; silu as in Shazeer 2020, arXiv:2002.05202).
 *
 * <p>There are two steps, so that the first can run beside other work: {@link #sort} brings rows
 * together by expert, and {@link SortedRows#add} computes them. Only the device knows how many
 * tokens each expert gets: a call only enqueues work on its stream, neither allocates nor waits,
 * and may be captured into a {@link CudaGraph}. Dot products accumulate in float32; the activation
 * and each expert's result are rounded to bfloat16, the sum over experts is float32 in the order of
 * {@code ids}. With FP8 weights, x and the activation are quantized as {@link
 * Float8Operations#quantize} does, the activation without rounding it to bfloat16 first, and dot
 * products accumulate as {@link Float8Gemm}'s. The same input gives bit-identical output, and a
 * row's output does not depend on the other rows.
 *
 * <p>Immutable and thread-safe; a workspace serves one layer at a time.
 */
public final class Experts extends DeviceKernels {
  private static final int WORKSPACE_ALIGNMENT = 128;

  Experts(CudaContext context) {
    super(context);
  }

  /** The experts' kernels of a device that {@link CudaContext#requireKernels} accepts. */
  public static Experts on(CudaContext context) {
    return new Experts(context.requireKernels());
  }

  /**
   * Bytes of scratch memory for up to so many rows; about 2 · rows · perToken · (hidden + width).
   *
   * @throws CudaArgumentException where rows are less than 1 or too many
   */
  public long workspaceBytes(ExpertsShape shape, int rows) {
    shape.checkRows(rows);
    long[] bytes = new long[1];
    NativeLibrary.check(
        NativeExperts.workspaceSize(fields(shape, rows), bytes),
        "spark_mla_experts_workspace_size",
        context.device());
    return bytes[0];
  }

  /**
   * Enqueues the sort of rows by the experts that they have chosen.
   *
   * @param x bfloat16 [n, hidden], columns contiguous, the row stride a multiple of 8
   * @param validRows int32 [1]: how many rows, from the first, are computed; the others are neither
   *     read nor written and cost next to nothing. Empty: all
   * @param ids int32 [n, perToken], contiguous; one outside 0 to experts − 1 chooses no expert
   * @param scaling of the weights, where they are FP8; hidden and width are multiples of 16 then
   * @param workspace at least {@link #workspaceBytes} for n rows; what it holds is lost. It and
   *     {@code validRows} are left alone until the rows have been added
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this does not hold, before anything is launched
   * @throws CudaException where the launch fails
   */
  public SortedRows sort(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      Optional<Float8Scaling> scaling,
      DeviceBuffer workspace,
      CudaStream stream) {
    long[] fields = check(shape, x, validRows, ids, scaling);
    requireContext("workspace", workspace.context(), context);
    CudaArgumentException.require(
        workspace.address() % WORKSPACE_ALIGNMENT == 0,
        "workspace must start at a multiple of %d bytes, starts at 0x%x",
        WORKSPACE_ALIGNMENT,
        workspace.address());
    long needed = workspaceBytes(shape, (int) fields[NativeExperts.ROWS]);
    CudaArgumentException.require(
        workspace.bytes() >= needed,
        "workspace must have %d bytes for %d rows, has %d",
        needed,
        fields[NativeExperts.ROWS],
        workspace.bytes());
    fields[NativeExperts.WORKSPACE] = workspace.address();
    fields[NativeExperts.WORKSPACE_BYTES] = workspace.bytes();
    enqueue("spark_mla_experts_sort", NativeExperts::sort, fields.clone(), stream);
    return new SortedRows(context, shape, scaling, fields, validRows, workspace);
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
    enqueue(
        "spark_mla_experts_reference",
        NativeExperts::reference,
        unsorted(shape, x, validRows, ids, Optional.empty()).check(weights, gateUp, down, out),
        stream);
  }

  /** What a sort would return, without the sort. */
  SortedRows unsorted(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      Optional<Float8Scaling> scaling) {
    long[] fields = check(shape, x, validRows, ids, scaling);
    return new SortedRows(context, shape, scaling, fields, validRows, x.buffer());
  }

  /** Checks everything but workspace and stream, and returns the call's arguments without them. */
  private long[] check(
      ExpertsShape shape,
      DeviceTensor x,
      Optional<DeviceTensor> validRows,
      DeviceTensor ids,
      Optional<Float8Scaling> scaling) {
    long rows = x.dimension(0);
    shape.checkRows(rows);
    requireRows(context, "x", x, ElementType.BFLOAT16, rows, shape.hidden());
    validRows.ifPresent(tensor -> requireArray(context, "validRows", tensor, ElementType.INT32, 1));
    requireArray(context, "ids", ids, ElementType.INT32, rows, shape.perToken());

    long[] fields = fields(shape, rows);
    fields[NativeExperts.VALID_ROWS] = validRows.map(DeviceTensor::address).orElse(0L);
    fields[NativeExperts.X] = x.address();
    fields[NativeExperts.X_STRIDE] = x.stride(0);
    fields[NativeExperts.IDS] = ids.address();
    scaling.ifPresent(of -> fields[NativeExperts.SCALING] = NativeFloat8.code(of));
    return fields;
  }

  /** The sizes of a call. */
  private static long[] fields(ExpertsShape shape, long rows) {
    long[] fields = new long[NativeExperts.FIELD_COUNT];
    fields[NativeExperts.ROWS] = rows;
    fields[NativeExperts.EXPERTS] = shape.experts();
    fields[NativeExperts.PER_TOKEN] = shape.perToken();
    fields[NativeExperts.HIDDEN] = shape.hidden();
    fields[NativeExperts.WIDTH] = shape.width();
    return fields;
  }
}
