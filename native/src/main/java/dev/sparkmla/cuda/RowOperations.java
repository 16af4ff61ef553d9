package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireContiguous;
import static dev.sparkmla.cuda.TensorChecks.requireIntegers;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

/**
 * The operations of a transformer that go row by row: embedding, norm, gated activation, bias,
 * gathering, and the choice of tokens. Each computes a row the same whatever the others are, only
 * enqueues, and may be captured into a graph.
 *
 * <p>Immutable and thread-safe.
 */
public final class RowOperations {
  /** Bytes of one row's parameters for {@link #sample}. */
  public static final int SAMPLING_BYTES = OperationsLibrary.SAMPLING_BYTES;

  /** The token of a row of logits that holds NaN or positive infinity. */
  public static final int NOT_A_NUMBER = -2;

  private final CudaContext context;

  /** For tests of argument checks, which need neither device nor library. */
  RowOperations(CudaContext context) {
    this.context = context;
  }

  /**
   * Readies the operations on a device.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public static RowOperations on(CudaContext context) {
    context.device().requireHopper();
    NativeLibrary.load();
    return new RowOperations(context);
  }

  /**
   * Enqueues {@code out[i] = table[token i]}. A token t &lt; 0 stands for {@code previous[~t]}; one
   * that the table does not have reads its first row.
   *
   * @param table bfloat16 [vocabulary, columns], contiguous
   * @param tokens int32 [rows]
   * @param previous int32 [any]; the caller answers for ~t being inside
   * @param out gets float32 [rows, columns], contiguous
   * @throws CudaArgumentException where this does not hold
   */
  public void embed(
      DeviceTensor table,
      DeviceTensor tokens,
      DeviceTensor previous,
      DeviceTensor out,
      CudaStream stream) {
    long rows = tokens.dimension(0);
    long columns = eights("columns", table.dimension(1));
    requireRows(context, "table", table, ElementType.BFLOAT16, table.dimension(0), columns);
    requireContiguous("table", table);
    requireIntegers(context, "tokens", tokens, rows);
    requireIntegers(context, "previous", previous, previous.dimension(0));
    requireRows(context, "out", out, ElementType.FLOAT32, rows, columns);
    requireContiguous("out", out);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.embed(
            Math.toIntExact(rows),
            Math.toIntExact(columns),
            Math.toIntExact(table.dimension(0)),
            tokens.address(),
            previous.address(),
            table.address(),
            out.address(),
            stream.address()),
        "spark_mla_embed",
        context.device());
  }

  /**
   * Enqueues {@code out = in / sqrt(mean(in²) + epsilon) * gain} by row.
   *
   * @param in bfloat16 or float32 [rows, columns], columns a multiple of 8 and at most 8192
   * @param gain float32 [columns]
   * @param out gets bfloat16 [rows, columns]; may be {@code in}
   * @throws CudaArgumentException where this does not hold
   */
  public void normalize(
      DeviceTensor in, DeviceTensor gain, float epsilon, DeviceTensor out, CudaStream stream) {
    long rows = in.dimension(0);
    long columns = eights("columns", in.dimension(1));
    CudaArgumentException.require(
        columns <= 8192, "a norm of %d columns; at most 8192 are built", columns);
    requireRows(context, "in", in, in.type(), rows, columns);
    requireRows(context, "gain", gain, ElementType.FLOAT32, columns);
    requireRows(context, "out", out, ElementType.BFLOAT16, rows, columns);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.rmsNorm(
            Math.toIntExact(rows),
            Math.toIntExact(columns),
            code(in.type()),
            epsilon,
            in.address(),
            in.stride(0),
            gain.address(),
            out.address(),
            out.stride(0),
            stream.address()),
        "spark_mla_rms_norm",
        context.device());
  }

  /**
   * Enqueues {@code out = silu(gate) * up}.
   *
   * @param gateUp bfloat16 [rows, 2 × width]: a row's gate, then its up
   * @param out gets bfloat16 [rows, width], width a multiple of 8
   * @throws CudaArgumentException where this does not hold
   */
  public void gate(DeviceTensor gateUp, DeviceTensor out, CudaStream stream) {
    long rows = out.dimension(0);
    long width = eights("width", out.dimension(1));
    requireRows(context, "gateUp", gateUp, ElementType.BFLOAT16, rows, 2 * width);
    requireRows(context, "out", out, ElementType.BFLOAT16, rows, width);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.gate(
            Math.toIntExact(rows),
            Math.toIntExact(width),
            gateUp.address(),
            gateUp.stride(0),
            out.address(),
            out.stride(0),
            stream.address()),
        "spark_mla_gate",
        context.device());
  }

  /**
   * Enqueues {@code out[i] = in[row i]}.
   *
   * @param in float32 [any, columns], contiguous
   * @param row int32 [rows]; the caller answers for their range
   * @param out gets float32 [rows, columns], contiguous
   * @throws CudaArgumentException where this does not hold
   */
  public void gather(DeviceTensor in, DeviceTensor row, DeviceTensor out, CudaStream stream) {
    long rows = row.dimension(0);
    long columns = eights("columns", in.dimension(1));
    requireRows(context, "in", in, ElementType.FLOAT32, in.dimension(0), columns);
    requireContiguous("in", in);
    requireIntegers(context, "row", row, rows);
    requireRows(context, "out", out, ElementType.FLOAT32, rows, columns);
    requireContiguous("out", out);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.gatherRows(
            Math.toIntExact(rows),
            Math.toIntExact(columns),
            in.address(),
            row.address(),
            out.address(),
            stream.address()),
        "spark_mla_gather_rows",
        context.device());
  }

  /**
   * Enqueues {@code out += bias} by row.
   *
   * @param bias float32 [columns]
   * @param out bfloat16 or float32 [rows, columns], columns a multiple of 8
   * @throws CudaArgumentException where this does not hold
   */
  public void addBias(DeviceTensor bias, DeviceTensor out, CudaStream stream) {
    long rows = out.dimension(0);
    long columns = eights("columns", out.dimension(1));
    requireRows(context, "bias", bias, ElementType.FLOAT32, columns);
    requireRows(context, "out", out, out.type(), rows, columns);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.addBias(
            Math.toIntExact(rows),
            Math.toIntExact(columns),
            code(out.type()),
            bias.address(),
            out.address(),
            out.stride(0),
            stream.address()),
        "spark_mla_add_bias",
        context.device());
  }

  /**
   * Enqueues choosing a token for every row. The random number is a function of a row's seed and
   * index alone; the result is the same in every run. A row that holds NaN or positive infinity
   * gets {@link #NOT_A_NUMBER}.
   *
   * @param logits float32 [rows, vocabulary]
   * @param sampling [rows × {@value #SAMPLING_BYTES} bytes] as int32 words: temperature (float
   *     bits; 0 takes the largest), top-k (0 keeps all), top-p (float bits), index, seed (low word
   *     first)
   * @param tokens gets int32 [rows]
   * @throws CudaArgumentException where this does not hold
   */
  public void sample(
      DeviceTensor logits, DeviceTensor sampling, DeviceTensor tokens, CudaStream stream) {
    long rows = tokens.dimension(0);
    requireRows(context, "logits", logits, ElementType.FLOAT32, rows, logits.dimension(1));
    requireIntegers(context, "sampling", sampling, rows * SAMPLING_BYTES / Integer.BYTES);
    TensorChecks.requireAligned("sampling", sampling, Long.BYTES);
    requireIntegers(context, "tokens", tokens, rows);
    begin(stream);
    NativeLibrary.check(
        OperationsLibrary.sample(
            Math.toIntExact(rows),
            Math.toIntExact(logits.dimension(1)),
            logits.address(),
            logits.stride(0),
            sampling.address(),
            tokens.address(),
            0,
            stream.address()),
        "spark_mla_sample",
        context.device());
  }

  private void begin(CudaStream stream) {
    requireContext("stream", stream.context(), context);
    context.makeCurrent();
  }

  private static long eights(String what, long count) {
    CudaArgumentException.require(
        count % 8 == 0, "%s must be a multiple of 8, are %d", what, count);
    return count;
  }

  /** The number of a type in spark_mla_ops.h. */
  static int code(ElementType type) {
    return switch (type) {
      case BFLOAT16 -> OperationsLibrary.BFLOAT16;
      case FLOAT32 -> OperationsLibrary.FLOAT32;
      case FLOAT16 -> OperationsLibrary.FLOAT16;
      case INT32 -> throw new CudaArgumentException("int32 where numbers with a fraction belong");
    };
  }
}
