package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireAligned;
import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireContiguous;
import static dev.sparkmla.cuda.TensorChecks.requireIntegers;
import static dev.sparkmla.cuda.TensorChecks.requireRows;
import static dev.sparkmla.cuda.TensorChecks.requireScale;
import static dev.sparkmla.cuda.TensorChecks.requireShape;
import static dev.sparkmla.cuda.TensorChecks.requireTable;
import static dev.sparkmla.cuda.TensorChecks.requireType;

/**
 * Multi-head latent attention for decoding, over a paged cache: for each query row, softmax(scale ×
 * q · kᵀ) · v, where a cached token is one key of {@code latentDim + ropeDim} elements and its
 * value is the key's latent part (DeepSeek-V2, arXiv 2405.04434, section 2.1, in its absorbed
 * form).
 *
 * <pre>{@code
 * MlaDecode decode = MlaDecode.on(context);
 * MlaShape shape =
 *     new MlaShape(batch, 1, heads, 1, latentDim, ropeDim, maxBlocks, SplitPolicy.BY_LENGTH);
 * try (MlaMetadata metadata = decode.metadata(shape)) {
 *   metadata.update(lengths, stream);                       // once a step
 *   for (Layer layer : layers) {                            // once a layer
 *     decode.withKvCache(q, layer.cache(), blockTable, metadata.cacheSeqlens(), latentDim,
 *         metadata, scale, false, out, logSumExp, stream);
 *   }
 * }
 * }</pre>
 *
 * <p>Every call only enqueues work on its stream: it neither allocates nor waits, and may be
 * captured into a {@link CudaGraph}. The same input gives bit-identical output; with {@link
 * SplitPolicy#BY_LENGTH} a sequence's output does not depend on the rest of the batch either.
 *
 * <p>Immutable and thread-safe; calls that share an {@link MlaMetadata} belong on one stream.
 */
public final class MlaDecode extends DeviceKernels {
  /** Tokens in one page of the cache. */
  public static final int PAGE_TOKENS = 64;

  MlaDecode(CudaContext context) {
    super(context);
  }

  /** The operations of a device that {@link CudaContext#requireKernels} accepts. */
  public static MlaDecode on(CudaContext context) {
    return new MlaDecode(context.requireKernels());
  }

  /**
   * Allocates what a step of these sizes needs on the device. {@link MlaMetadata#withShape} uses
   * the same memory for smaller steps.
   *
   * @throws CudaArgumentException where no kernel is built for its dimensions
   * @throws CudaException where memory does not suffice
   */
  public MlaMetadata metadata(MlaShape shape) {
    return MlaMetadata.allocate(context, shape);
  }

  /**
   * Enqueues the attention of one layer. The last dimension of every bfloat16 tensor is contiguous,
   * its address a multiple of 16 bytes, its strides multiples of 8 elements.
   *
   * @param q bfloat16 [batch, s_q, h_q, latentDim + ropeDim]
   * @param cache with h_kv heads of latentDim + ropeDim elements; tokens past a sequence's end may
   *     hold anything, NaN too
   * @param blockTable int32 [batch, maxBlocks]: the pages of each sequence; entries past its last
   *     page are never looked at, those before must be less than the number of blocks
   * @param cacheSeqlens int32 [batch]: the lengths that {@code metadata} was updated with
   * @param headDimV elements of an output row, the latent dimension
   * @param metadata of this step
   * @param softmaxScale positive and finite; usually (key head size of the model)^-0.5
   * @param causal whether query token i of s_q sees only the keys 0 to length − s_q + i; else it
   *     sees all
   * @param out gets bfloat16 [batch, s_q, h_q, headDimV]; zero where a row sees no key
   * @param logSumExp gets float32 [batch, h_q, s_q], contiguous: the natural logarithm of each
   *     row's sum of exponentials, +infinity where a row sees no key
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this does not hold, before anything is launched
   * @throws CudaException where the launch fails
   */
  public void withKvCache(
      DeviceTensor q,
      PagedCache cache,
      DeviceTensor blockTable,
      DeviceTensor cacheSeqlens,
      int headDimV,
      MlaMetadata metadata,
      float softmaxScale,
      boolean causal,
      DeviceTensor out,
      DeviceTensor logSumExp,
      CudaStream stream) {
    requireContext("metadata", metadata.table().buffer().context(), context);
    long[] fields =
        check(
            metadata.shape(),
            ElementType.BFLOAT16,
            q,
            cache,
            blockTable,
            cacheSeqlens,
            headDimV,
            softmaxScale,
            causal,
            out,
            logSumExp);
    metadata.describe(fields);
    enqueue("spark_mla_decode", NativeDecode::decode, fields, stream);
  }

  /**
   * The same function computed plainly in float32, slowly, for any dimensions: the oracle of tests.
   * {@code out} is float32 here.
   */
  void reference(
      MlaShape shape,
      DeviceTensor q,
      PagedCache cache,
      DeviceTensor blockTable,
      DeviceTensor cacheSeqlens,
      float softmaxScale,
      boolean causal,
      DeviceTensor out,
      DeviceTensor logSumExp,
      CudaStream stream) {
    long[] fields =
        check(
            shape,
            ElementType.FLOAT32,
            q,
            cache,
            blockTable,
            cacheSeqlens,
            shape.latentDim(),
            softmaxScale,
            causal,
            out,
            logSumExp);
    enqueue("spark_mla_decode_reference", NativeDecode::reference, fields, stream);
  }

  /** Checks everything that a call can be wrong about, and returns it as native code takes it. */
  long[] check(
      MlaShape shape,
      ElementType outType,
      DeviceTensor q,
      PagedCache cache,
      DeviceTensor blockTable,
      DeviceTensor cacheSeqlens,
      int headDimV,
      float softmaxScale,
      boolean causal,
      DeviceTensor out,
      DeviceTensor logSumExp) {
    CudaArgumentException.require(
        headDimV == shape.latentDim(),
        "headDimV must be the latent dimension %d, is %d",
        shape.latentDim(),
        headDimV);
    requireScale(softmaxScale);
    requireRows(
        context,
        "q",
        q,
        ElementType.BFLOAT16,
        shape.batch(),
        shape.queryTokens(),
        shape.queryHeads(),
        shape.keyDim());
    cache.requireContext(context);
    DeviceTensor keys = cache.elements();
    requireShape("cache", keys, cache.blocks(), PAGE_TOKENS, shape.kvHeads(), shape.keyDim());
    requireRows(
        context,
        "out",
        out,
        outType,
        shape.batch(),
        shape.queryTokens(),
        shape.queryHeads(),
        shape.latentDim());
    requireTable(context, "blockTable", blockTable, shape.batch(), shape.maxBlocks());
    requireLengths(cacheSeqlens, shape, context);
    requireType("logSumExp", logSumExp, ElementType.FLOAT32);
    requireShape("logSumExp", logSumExp, shape.batch(), shape.queryHeads(), shape.queryTokens());
    requireContiguous("logSumExp", logSumExp);
    requireAligned("logSumExp", logSumExp, Float.BYTES);
    requireContext("logSumExp", logSumExp.buffer().context(), context);

    long[] fields = MlaMetadata.fields(shape);
    fields[NativeDecode.FLAGS] = causal ? NativeDecode.CAUSAL : 0;
    fields[NativeDecode.CACHE_BLOCKS] = cache.blocks();
    fields[NativeDecode.SOFTMAX_SCALE] = Float.floatToRawIntBits(softmaxScale);
    fields[NativeDecode.Q] = q.address();
    fields[NativeDecode.Q_STRIDE_BATCH] = q.stride(0);
    fields[NativeDecode.Q_STRIDE_TOKEN] = q.stride(1);
    fields[NativeDecode.Q_STRIDE_HEAD] = q.stride(2);
    fields[NativeDecode.K_CACHE] = keys.address();
    fields[NativeDecode.K_CACHE_STRIDE_BLOCK] = keys.stride(0);
    fields[NativeDecode.K_CACHE_STRIDE_TOKEN] = keys.stride(1);
    fields[NativeDecode.K_CACHE_STRIDE_HEAD] = keys.stride(2);
    fields[NativeDecode.BLOCK_TABLE] = blockTable.address();
    fields[NativeDecode.BLOCK_TABLE_STRIDE] = blockTable.stride(0);
    fields[NativeDecode.CACHE_SEQLENS] = cacheSeqlens.address();
    fields[NativeDecode.OUT] = out.address();
    fields[NativeDecode.OUT_STRIDE_BATCH] = out.stride(0);
    fields[NativeDecode.OUT_STRIDE_TOKEN] = out.stride(1);
    fields[NativeDecode.OUT_STRIDE_HEAD] = out.stride(2);
    fields[NativeDecode.LSE] = logSumExp.address();
    return fields;
  }

  static void requireLengths(DeviceTensor cacheSeqlens, MlaShape shape, CudaContext context) {
    requireIntegers(context, "cacheSeqlens", cacheSeqlens, shape.batch());
  }
}
