package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireAligned;
import static dev.sparkmla.cuda.TensorChecks.requireArray;
import static dev.sparkmla.cuda.TensorChecks.requireContiguous;
import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireIntegers;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

/**
 * The operations of a transformer that work row by row: embedding, norm, gated activation, bias,
 * gathering, and the choice of tokens. Each computes a row the same whatever the others are, only
 * enqueues, and may be captured into a graph.
 *
 * <p>Immutable and thread-safe.
 */
public final class RowOperations extends DeviceKernels {
  /** The token of a row of logits that holds NaN or positive infinity. */
  public static final int NOT_A_NUMBER = NativeOperations.NOT_A_NUMBER;

  private static final int MOST_NORM_COLUMNS = 8192;
  private static final int MOST_LOGITS = 1 << 23;

  RowOperations(CudaContext context) {
    super(context);
  }

  /** The operations of a device that {@link CudaContext#requireKernels} accepts. */
  public static RowOperations on(CudaContext context) {
    return new RowOperations(context.requireKernels());
  }

  /**
   * Enqueues {@code out[i] = scale * table[token i]}. A token t &lt; 0 stands for {@code
   * previous[~t]}, the token that was chosen for row ~t of the step before. A token that neither
   * the table nor {@code previous} has reads the table's first row, and so does {@link
   * #NOT_A_NUMBER} in {@code previous}.
   *
   * @param table bfloat16 [vocabulary, columns], contiguous, columns a multiple of 8
   * @param scale multiplies every element
   * @param tokens int32 [rows]
   * @param previous int32 [any], the tokens of the step before
   * @param out gets float32 [rows, columns], contiguous
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void embed(
      DeviceTensor table,
      float scale,
      DeviceTensor tokens,
      DeviceTensor previous,
      DeviceTensor out,
      CudaStream stream) {
    long[] fields = fields(tokens.dimension(0), table.dimension(1));
    requireMatrix("table", table, ElementType.BFLOAT16, table.dimension(0), table.dimension(1));
    requireIntegers(context, "tokens", tokens, tokens.dimension(0));
    requireIntegers(context, "previous", previous, previous.dimension(0));
    requireMatrix("out", out, ElementType.FLOAT32, tokens.dimension(0), table.dimension(1));
    fields[NativeOperations.TABLE] = table.address();
    fields[NativeOperations.TABLE_ROWS] = requireCount("rows of the table", table.dimension(0));
    fields[NativeOperations.SCALE] = Float.floatToRawIntBits(scale);
    fields[NativeOperations.TOKENS] = tokens.address();
    fields[NativeOperations.PREVIOUS] = previous.address();
    fields[NativeOperations.PREVIOUS_ROWS] =
        requireCount("tokens of the step before", previous.dimension(0));
    fields[NativeOperations.OUT] = out.address();
    enqueue("spark_mla_embed", NativeOperations::embed, fields, stream);
  }

  /**
   * Enqueues {@code cache[slot i] = token i}, where a token t &lt; 0 stands for {@code
   * previous[~t]} as in {@link #embed}. A row whose slot the cache does not have is left out.
   *
   * @param tokens int32 [rows]
   * @param previous int32 [any], the tokens of the step before
   * @param slot int32 [rows]: block * page + token within the block
   * @param cache gets int32 [blocks, page]
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void writeTokens(
      DeviceTensor tokens,
      DeviceTensor previous,
      DeviceTensor slot,
      DeviceTensor cache,
      CudaStream stream) {
    long rows = requireCount("rows", tokens.dimension(0));
    requireIntegers(context, "tokens", tokens, rows);
    requireIntegers(context, "previous", previous, previous.dimension(0));
    requireIntegers(context, "slot", slot, rows);
    requireTokens(cache);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.ROWS] = rows;
    fields[NativeOperations.TOKENS] = tokens.address();
    fields[NativeOperations.PREVIOUS] = previous.address();
    fields[NativeOperations.PREVIOUS_ROWS] =
        requireCount("tokens of the step before", previous.dimension(0));
    fields[NativeOperations.SLOT] = slot.address();
    fields[NativeOperations.TOKENS_CACHE] = cache.address();
    fields[NativeOperations.BLOCKS] = requireCount("blocks", cache.dimension(0));
    enqueue("spark_mla_write_tokens", NativeOperations::writeTokens, fields, stream);
  }

  private void requireTokens(DeviceTensor cache) {
    requireArray(
        context,
        "the cache's tokens",
        cache,
        ElementType.INT32,
        cache.dimension(0),
        NativeOperations.PAGE_TOKENS);
  }

  /**
   * Enqueues {@code out = in / sqrt(mean(in²) + epsilon) * gain} by row (RMS norm, Zhang and
   * Sennrich 2019, arXiv:1910.07467).
   *
   * @param in bfloat16 or float32 [rows, columns], columns a multiple of 8 and at most {@value
   *     #MOST_NORM_COLUMNS}
   * @param gain float32 [columns]
   * @param epsilon keeps the root from 0; not negative
   * @param out gets [rows, columns]; its bfloat16 rows may be {@code in}
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void normalize(
      DeviceTensor in, DeviceTensor gain, float epsilon, GemmRows out, CudaStream stream) {
    long rows = in.dimension(0);
    long columns = requireCount("columns of a norm", in.dimension(1), MOST_NORM_COLUMNS);
    long[] fields = fields(rows, columns);
    requireRows(context, "in", in, in.type(), rows, columns);
    requireRows(context, "gain", gain, ElementType.FLOAT32, columns);
    putOutput(fields, out, rows, columns);
    fields[NativeOperations.EPSILON] = Float.floatToRawIntBits(epsilon);
    fields[NativeOperations.IN_TYPE] = code(in.type());
    putRows(fields, NativeOperations.IN, NativeOperations.IN_STRIDE, in);
    fields[NativeOperations.GAIN] = gain.address();
    enqueue("spark_mla_rms_norm", NativeOperations::rmsNorm, fields, stream);
  }

  /**
   * Enqueues {@code out = silu(gate) * up}.
   *
   * @param gateUp bfloat16 [rows, 2 × width]: a row's gate, then its up
   * @param out gets [rows, width], width a multiple of 8
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void gate(DeviceTensor gateUp, GemmRows out, CudaStream stream) {
    long rows = gateUp.dimension(0);
    long width = gateUp.dimension(1) / 2;
    long[] fields = fields(rows, width);
    requireRows(context, "gateUp", gateUp, ElementType.BFLOAT16, rows, 2 * width);
    putOutput(fields, out, rows, width);
    putRows(fields, NativeOperations.IN, NativeOperations.IN_STRIDE, gateUp);
    enqueue("spark_mla_gate", NativeOperations::gate, fields, stream);
  }

  /**
   * Enqueues {@code out[i] = in[row i]}. A row that {@code in} does not have reads its first.
   *
   * @param in float32 [any, columns], contiguous, columns a multiple of 8
   * @param row int32 [rows]
   * @param out gets float32 [rows, columns], contiguous
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void gather(DeviceTensor in, DeviceTensor row, DeviceTensor out, CudaStream stream) {
    long[] fields = fields(row.dimension(0), in.dimension(1));
    requireMatrix("in", in, ElementType.FLOAT32, in.dimension(0), in.dimension(1));
    requireIntegers(context, "row", row, row.dimension(0));
    requireMatrix("out", out, ElementType.FLOAT32, row.dimension(0), in.dimension(1));
    fields[NativeOperations.IN] = in.address();
    fields[NativeOperations.IN_ROWS] = requireCount("rows of in", in.dimension(0));
    fields[NativeOperations.ROW] = row.address();
    fields[NativeOperations.OUT] = out.address();
    enqueue("spark_mla_gather_rows", NativeOperations::gatherRows, fields, stream);
  }

  /**
   * Enqueues {@code out += bias} by row.
   *
   * @param bias float32 [columns]
   * @param out bfloat16 or float32 [rows, columns], columns a multiple of 8
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void addBias(DeviceTensor bias, DeviceTensor out, CudaStream stream) {
    long rows = out.dimension(0);
    long columns = out.dimension(1);
    long[] fields = fields(rows, columns);
    requireRows(context, "bias", bias, ElementType.FLOAT32, columns);
    requireRows(context, "out", out, out.type(), rows, columns);
    fields[NativeOperations.BIAS] = bias.address();
    fields[NativeOperations.OUT_TYPE] = code(out.type());
    putRows(fields, NativeOperations.OUT, NativeOperations.OUT_STRIDE, out);
    enqueue("spark_mla_add_bias", NativeOperations::addBias, fields, stream);
  }

  /**
   * Enqueues what is done to logits before tokens are chosen, in place.
   *
   * @param logits float32 [rows, vocabulary], at most 2^23 columns
   * @param processing int32 [rows × {@value ProcessingLayout#WORDS}], each row as {@link
   *     ProcessingLayout} writes it
   * @param words int32 [any], where the rows' lists and block tables are
   * @param tokens int32 [blocks, page], as {@link #writeTokens} writes them
   * @param counts int32 [rows, vocabulary], workspace
   * @param constraints what constrained rows need
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void processLogits(
      DeviceTensor logits,
      DeviceTensor processing,
      DeviceTensor words,
      DeviceTensor tokens,
      DeviceTensor counts,
      ConstraintMemory constraints,
      CudaStream stream) {
    long rows = requireCount("rows of logits", logits.dimension(0));
    long columns = requireCount("logits of a row", logits.dimension(1), MOST_LOGITS);
    requireRows(context, "logits", logits, ElementType.FLOAT32, rows, columns);
    requireIntegers(context, "processing", processing, rows * ProcessingLayout.WORDS);
    requireIntegers(context, "words", words, words.dimension(0));
    requireTokens(tokens);
    requireArray(context, "counts", counts, ElementType.INT32, rows, columns);
    DeviceTensor automata = constraints.automata();
    DeviceTensor previous = constraints.previous();
    requireIntegers(context, "automata", automata, automata.dimension(0));
    requireAligned("automata", automata, Long.BYTES);
    requireIntegers(context, "previous", previous, previous.dimension(0));
    requirePositions("positions", constraints.positions(), previous.dimension(0));
    requirePositions("newPositions", constraints.newPositions(), rows);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.ROWS] = rows;
    fields[NativeOperations.COLUMNS] = columns;
    putRows(fields, NativeOperations.OUT, NativeOperations.OUT_STRIDE, logits);
    fields[NativeOperations.PROCESSING] = processing.address();
    fields[NativeOperations.WORDS] = words.address();
    fields[NativeOperations.COUNT] = words.dimension(0);
    fields[NativeOperations.TOKENS_CACHE] = tokens.address();
    fields[NativeOperations.BLOCKS] = requireCount("blocks", tokens.dimension(0));
    fields[NativeOperations.COUNTS] = counts.address();
    fields[NativeOperations.AUTOMATA] = automata.address();
    fields[NativeOperations.AUTOMATA_WORDS] = automata.dimension(0);
    fields[NativeOperations.PREVIOUS] = previous.address();
    fields[NativeOperations.PREVIOUS_ROWS] =
        requireCount("tokens of the step before", previous.dimension(0));
    fields[NativeOperations.POSITIONS_BEFORE] = constraints.positions().address();
    fields[NativeOperations.NEW_POSITIONS] = constraints.newPositions().address();
    enqueue("spark_mla_process_logits", NativeOperations::processLogits, fields, stream);
  }

  private void requirePositions(String name, DeviceTensor positions, long rows) {
    requireArray(context, name, positions, ElementType.INT32, rows, 2);
    requireAligned(name, positions, Long.BYTES);
  }

  /**
   * Enqueues choosing a token for every row. The random number is a function of a row's seed and
   * index alone, and the result is the same in every run. A row that holds NaN or positive infinity
   * gets {@link #NOT_A_NUMBER}.
   *
   * @param logits float32 [rows, vocabulary], at most 2^23 columns
   * @param sampling int32 [rows × {@value SamplingLayout#WORDS}], 8-byte aligned, each row as
   *     {@link SamplingLayout} writes it
   * @param tokens gets int32 [rows]
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void sample(
      DeviceTensor logits, DeviceTensor sampling, DeviceTensor tokens, CudaStream stream) {
    long[] fields = choice(logits, sampling, tokens);
    enqueue("spark_mla_sample", NativeOperations::sample, fields, stream);
  }

  /**
   * Enqueues log probabilities, log softmax of the logits, of every row's token and of its
   * likeliest tokens, of as many as its sampling parameters ask for. Nothing is written for a row
   * that asks for none, or whose token is {@link #NOT_A_NUMBER}.
   *
   * @param logits float32 [rows, vocabulary], at most 2^23 columns
   * @param sampling int32 [rows × {@value SamplingLayout#WORDS}], as for {@link #sample}
   * @param tokens int32 [rows]
   * @param out gets int32 [rows × {@value LogprobsLayout#WORDS}], each row as {@link
   *     LogprobsLayout} reads it
   * @throws CudaArgumentException where this does not hold
   * @throws CudaException where the launch fails
   */
  public void logprobs(
      DeviceTensor logits,
      DeviceTensor sampling,
      DeviceTensor tokens,
      DeviceTensor out,
      CudaStream stream) {
    long[] fields = choice(logits, sampling, tokens);
    requireIntegers(context, "out", out, tokens.dimension(0) * LogprobsLayout.WORDS);
    fields[NativeOperations.OUT] = out.address();
    enqueue("spark_mla_logprobs", NativeOperations::logprobs, fields, stream);
  }

  /** The arguments of a call over logits, how tokens are chosen from them, and the tokens. */
  private long[] choice(DeviceTensor logits, DeviceTensor sampling, DeviceTensor tokens) {
    long rows = requireCount("rows of logits", tokens.dimension(0));
    long columns = requireCount("logits of a row", logits.dimension(1), MOST_LOGITS);
    requireRows(context, "logits", logits, ElementType.FLOAT32, rows, columns);
    requireIntegers(context, "sampling", sampling, rows * SamplingLayout.WORDS);
    requireAligned("sampling", sampling, Long.BYTES);
    requireIntegers(context, "tokens", tokens, rows);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.ROWS] = rows;
    fields[NativeOperations.COLUMNS] = columns;
    putRows(fields, NativeOperations.IN, NativeOperations.IN_STRIDE, logits);
    fields[NativeOperations.SAMPLING] = sampling.address();
    fields[NativeOperations.TOKENS] = tokens.address();
    return fields;
  }

  /** The arguments of a call over rows of so many columns, taken eight at a time. */
  private static long[] fields(long rows, long columns) {
    CudaArgumentException.require(
        columns % 8 == 0, "columns must be a multiple of 8, are %d", columns);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.ROWS] = requireCount("rows", rows);
    fields[NativeOperations.COLUMNS] = requireCount("columns", columns);
    return fields;
  }

  private static void putRows(long[] fields, int address, int stride, DeviceTensor tensor) {
    fields[address] = tensor.address();
    fields[stride] = tensor.stride(0);
  }

  /** Checks rows that GEMMs read and puts them in their places. */
  private void putOutput(long[] fields, GemmRows out, long rows, long columns) {
    out.bfloat16()
        .ifPresent(
            tensor -> {
              requireRows(context, "out", tensor, ElementType.BFLOAT16, rows, columns);
              putRows(fields, NativeOperations.OUT, NativeOperations.OUT_STRIDE, tensor);
            });
    out.float8()
        .ifPresent(
            quantized -> {
              quantized.require(context, "out", rows, columns);
              putRows(
                  fields,
                  NativeOperations.FLOAT8_OUT,
                  NativeOperations.FLOAT8_STRIDE,
                  quantized.values());
              putRows(
                  fields,
                  NativeOperations.FLOAT8_SCALES,
                  NativeOperations.FLOAT8_SCALES_STRIDE,
                  quantized.scales());
            });
  }

  private void requireMatrix(String name, DeviceTensor tensor, ElementType type, long... shape) {
    requireRows(context, name, tensor, type, shape);
    requireContiguous(name, tensor);
  }

  /** The number of a type in spark_mla_ops.h. */
  static int code(ElementType type) {
    return switch (type) {
      case BFLOAT16 -> NativeOperations.BFLOAT16;
      case FLOAT32 -> NativeOperations.FLOAT32;
      case FLOAT16 -> NativeOperations.FLOAT16;
      case FLOAT8_E4M3, INT32 ->
          throw new CudaArgumentException(
              "the operation is not built for %s, only for floats of 16 and 32 bits"
                  .formatted(type));
    };
  }
}
