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
 * Multi-head latent attention for prompts, over keys and values that were expanded from latents:
 * for each query row and head, softmax(scale × q · kᵀ) · v, where a key is {@code nopeDim} elements
 * of its head and {@code ropeDim} that all heads share (DeepSeek-V2, arXiv 2405.04434, section
 * 2.1).
 *
 * <p>One call takes several sequences, the <i>segments</i>: their query rows lie one after another,
 * and so do their keys. A context longer than there is memory to expand is taken in several calls,
 * each over some of its keys, with {@code merge} from the second on:
 *
 * <pre>{@code
 * prefill.gatherCache(cache, blockTable, keyStarts, firstKeys, latents, kRope, stream);
 * ...                                      // kv = latents × the layer's expansion
 * prefill.attention(q, kv, kRope, queryStarts, keyStarts, queryOffsets, nopeDim, scale, merge, out,
 *     logSumExp, nextTile, stream);
 * }</pre>
 *
 * <p>Every call only enqueues work on its stream: it neither allocates nor waits, and may be
 * captured into a {@link CudaGraph}. The same input gives bit-identical output. A query row's
 * result depends on its query, the keys it sees and the place of the segment's first key, but not
 * on the other query rows of the call: a prompt gives the same bits in chunks of any size, and
 * beside any other segments. Where its keys are taken in several calls, that holds as long as every
 * chunk takes them in the same ranges.
 *
 * <p>Immutable and thread-safe.
 */
public final class MlaPrefill extends DeviceKernels {
  /** Keys in one call, at most. */
  public static final int MAX_KEYS = 1 << 30;

  MlaPrefill(CudaContext context) {
    super(context);
  }

  /** The operations of a device that {@link CudaContext#requireKernels} accepts. */
  public static MlaPrefill on(CudaContext context) {
    return new MlaPrefill(context.requireKernels());
  }

  /**
   * Whether attention is built for these sizes. Needs the native library, but no device.
   *
   * @param nopeDim elements of a key that its head has alone
   * @param ropeDim elements of a key that all heads share
   * @param valueDim elements of a value
   * @throws CudaUnavailableException where this build has no native library
   */
  public static boolean supports(int nopeDim, int ropeDim, int valueDim) {
    NativeLibrary.load();
    return NativePrefill.supports(nopeDim, ropeDim, valueDim);
  }

  /**
   * Enqueues attention. The last dimension of every bfloat16 tensor is contiguous, its address a
   * multiple of 16 bytes, its strides multiples of 8 elements. {@link #supports} says for which
   * sizes a kernel is built.
   *
   * @param q bfloat16 [query rows, heads, nopeDim + ropeDim]
   * @param kv bfloat16 [keys, heads, nopeDim + valueDim]: of each head its part of the key, then
   *     its value
   * @param kRope bfloat16 [keys, ropeDim]
   * @param queryStarts int32 [segments + 1], from 0, not falling: segment s has the query rows
   *     queryStarts[s] to queryStarts[s + 1]; rows past the last segment's are left alone
   * @param keyStarts int32 [segments + 1], the same of keys; rows past the last segment's may hold
   *     anything, NaN too
   * @param queryOffsets int32 [segments], each between −2^30 and 2^30: query i of a segment sees
   *     the segment's keys 0 to i + offset. The number of keys less the number of queries aligns
   *     the mask at the end of both; a large number shows every key
   * @param nopeDim elements of a key that its head has alone
   * @param softmaxScale positive and finite; usually (nopeDim + ropeDim)^-0.5
   * @param merge whether {@code out} and {@code logSumExp} hold the result over other keys of the
   *     same queries, and get that over both, rows that see none of this call's keys unchanged;
   *     else they are overwritten
   * @param out gets bfloat16 [query rows, heads, valueDim]; zero where a row sees no key
   * @param logSumExp gets float32 [heads, query rows], contiguous: the natural logarithm of each
   *     row's sum of exponentials, +infinity where a row sees no key
   * @param nextTile int32 [1], zero, and left zero: the kernel's thread blocks draw their work from
   *     it. Calls that may run at the same time, on different streams, need one each
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this that the host can see does not hold, or no
   *     kernel is built for these sizes, before anything is launched
   * @throws CudaException where the launch fails
   */
  public void attention(
      DeviceTensor q,
      DeviceTensor kv,
      DeviceTensor kRope,
      DeviceTensor queryStarts,
      DeviceTensor keyStarts,
      DeviceTensor queryOffsets,
      int nopeDim,
      float softmaxScale,
      boolean merge,
      DeviceTensor out,
      DeviceTensor logSumExp,
      DeviceTensor nextTile,
      CudaStream stream) {
    long[] fields =
        check(
            ElementType.BFLOAT16,
            q,
            kv,
            kRope,
            queryStarts,
            keyStarts,
            queryOffsets,
            nopeDim,
            softmaxScale,
            merge,
            out,
            logSumExp);
    requireIntegers(context, "nextTile", nextTile, 1);
    fields[NativePrefill.NEXT_TILE] = nextTile.address();
    String call =
        "spark_mla_prefill of keys of %d + %d with values of %d"
            .formatted(nopeDim, kRope.dimension(1), out.dimension(2));
    enqueue(call, NativePrefill::attention, fields, stream);
  }

  /**
   * The same function computed plainly in float32, slowly, for any dimensions: the oracle of tests.
   * {@code out} is float32 here, and nothing is merged.
   */
  void reference(
      DeviceTensor q,
      DeviceTensor kv,
      DeviceTensor kRope,
      DeviceTensor queryStarts,
      DeviceTensor keyStarts,
      DeviceTensor queryOffsets,
      int nopeDim,
      float softmaxScale,
      DeviceTensor out,
      DeviceTensor logSumExp,
      CudaStream stream) {
    long[] fields =
        check(
            ElementType.FLOAT32,
            q,
            kv,
            kRope,
            queryStarts,
            keyStarts,
            queryOffsets,
            nopeDim,
            softmaxScale,
            false,
            out,
            logSumExp);
    enqueue("spark_mla_prefill_reference", NativePrefill::attentionReference, fields, stream);
  }

  /**
   * Enqueues copying rows out of the paged cache: of each segment, those from position {@code
   * firstKeys} of its sequence on, as many as {@code keyStarts} gives it.
   *
   * @param cache with one head of latentDim + ropeDim elements, both multiples of 8
   * @param blockTable int32 [segments, columns]: the pages of each sequence; entries of pages that
   *     no row comes from are never looked at
   * @param keyStarts int32 [segments + 1], from 0, not falling: segment s gets the rows
   *     keyStarts[s] to keyStarts[s + 1] of what is written
   * @param firstKeys int32 [segments], none negative
   * @param latents gets bfloat16 [rows, latentDim]; rows past the last segment's are left alone
   * @param rope gets bfloat16 [rows, ropeDim], likewise
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this that the host can see does not hold, before
   *     anything is launched
   * @throws CudaException where the launch fails
   */
  public void gatherCache(
      PagedCache cache,
      DeviceTensor blockTable,
      DeviceTensor keyStarts,
      DeviceTensor firstKeys,
      DeviceTensor latents,
      DeviceTensor rope,
      CudaStream stream) {
    long[] fields = checkGather(cache, blockTable, keyStarts, firstKeys, latents, rope);
    enqueue("spark_mla_gather_cache", NativePrefill::gatherCache, fields, stream);
  }

  /** Checks everything that a call can be wrong about, and returns it as native code takes it. */
  long[] check(
      ElementType outType,
      DeviceTensor q,
      DeviceTensor kv,
      DeviceTensor kRope,
      DeviceTensor queryStarts,
      DeviceTensor keyStarts,
      DeviceTensor queryOffsets,
      int nopeDim,
      float softmaxScale,
      boolean merge,
      DeviceTensor out,
      DeviceTensor logSumExp) {
    requireScale(softmaxScale);
    requireRank("q", q, 3);
    requireRank("kv", kv, 3);
    requireRank("kRope", kRope, 2);
    requireRank("out", out, 3);
    requireRank("queryOffsets", queryOffsets, 1);
    long queries = requireCount("query rows", q.dimension(0), Integer.MAX_VALUE);
    long heads = requireCount("heads", q.dimension(1), 65535);
    long keys = requireCount("keys", kv.dimension(0), MAX_KEYS);
    long segments = requireCount("segments", queryOffsets.dimension(0), Integer.MAX_VALUE - 1);
    long ropeDim = kRope.dimension(1);
    long valueDim = out.dimension(2);
    CudaArgumentException.require(nopeDim >= 1, "nopeDim must be positive, is %d", nopeDim);
    requireRows(context, "q", q, ElementType.BFLOAT16, queries, heads, nopeDim + ropeDim);
    requireRows(context, "kv", kv, ElementType.BFLOAT16, keys, heads, nopeDim + valueDim);
    requireRows(context, "kRope", kRope, ElementType.BFLOAT16, keys, ropeDim);
    requireRows(context, "out", out, outType, queries, heads, valueDim);
    requireIntegers(context, "queryStarts", queryStarts, segments + 1);
    requireIntegers(context, "keyStarts", keyStarts, segments + 1);
    requireIntegers(context, "queryOffsets", queryOffsets, segments);
    requireType("logSumExp", logSumExp, ElementType.FLOAT32);
    requireShape("logSumExp", logSumExp, heads, queries);
    requireContiguous("logSumExp", logSumExp);
    requireAligned("logSumExp", logSumExp, Float.BYTES);
    requireContext("logSumExp", logSumExp.buffer().context(), context);

    long[] fields = new long[NativePrefill.FIELD_COUNT];
    fields[NativePrefill.FLAGS] = merge ? NativePrefill.MERGE : 0;
    fields[NativePrefill.SEGMENTS] = segments;
    fields[NativePrefill.HEADS] = heads;
    fields[NativePrefill.TOTAL_Q] = queries;
    fields[NativePrefill.TOTAL_K] = keys;
    fields[NativePrefill.NOPE_DIM] = nopeDim;
    fields[NativePrefill.ROPE_DIM] = ropeDim;
    fields[NativePrefill.VALUE_DIM] = valueDim;
    fields[NativePrefill.SOFTMAX_SCALE] = Float.floatToRawIntBits(softmaxScale);
    fields[NativePrefill.Q] = q.address();
    fields[NativePrefill.Q_STRIDE_TOKEN] = q.stride(0);
    fields[NativePrefill.Q_STRIDE_HEAD] = q.stride(1);
    fields[NativePrefill.KV] = kv.address();
    fields[NativePrefill.KV_STRIDE_TOKEN] = kv.stride(0);
    fields[NativePrefill.KV_STRIDE_HEAD] = kv.stride(1);
    fields[NativePrefill.K_ROPE] = kRope.address();
    fields[NativePrefill.K_ROPE_STRIDE_TOKEN] = kRope.stride(0);
    fields[NativePrefill.CU_Q] = queryStarts.address();
    fields[NativePrefill.CU_K] = keyStarts.address();
    fields[NativePrefill.Q_OFFSET] = queryOffsets.address();
    fields[NativePrefill.OUT] = out.address();
    fields[NativePrefill.OUT_STRIDE_TOKEN] = out.stride(0);
    fields[NativePrefill.OUT_STRIDE_HEAD] = out.stride(1);
    fields[NativePrefill.LSE] = logSumExp.address();
    return fields;
  }

  /** The same for the gather. */
  long[] checkGather(
      PagedCache cache,
      DeviceTensor blockTable,
      DeviceTensor keyStarts,
      DeviceTensor firstKeys,
      DeviceTensor latents,
      DeviceTensor rope) {
    requireRank("blockTable", blockTable, 2);
    requireRank("firstKeys", firstKeys, 1);
    requireRank("latents", latents, 2);
    requireRank("rope", rope, 2);
    long rows = requireCount("rows", latents.dimension(0), Integer.MAX_VALUE);
    long segments = requireCount("segments", firstKeys.dimension(0), Integer.MAX_VALUE - 1);
    long columns =
        requireCount("columns", blockTable.dimension(1), Integer.MAX_VALUE / MlaDecode.PAGE_TOKENS);
    long latentDim = requireVector("latents", latents.dimension(1));
    long ropeDim = requireVector("rope", rope.dimension(1));
    cache.requireContext(context);
    DeviceTensor elements = cache.elements();
    requireShape("cache", elements, cache.blocks(), MlaDecode.PAGE_TOKENS, 1, latentDim + ropeDim);
    requireTable(context, "blockTable", blockTable, segments, columns);
    requireIntegers(context, "keyStarts", keyStarts, segments + 1);
    requireIntegers(context, "firstKeys", firstKeys, segments);
    requireRows(context, "latents", latents, ElementType.BFLOAT16, rows, latentDim);
    requireRows(context, "rope", rope, ElementType.BFLOAT16, rows, ropeDim);

    long[] fields = new long[NativePrefill.FIELD_COUNT];
    fields[NativePrefill.SEGMENTS] = segments;
    fields[NativePrefill.TOTAL_K] = rows;
    fields[NativePrefill.LATENT_DIM] = latentDim;
    fields[NativePrefill.ROPE_DIM] = ropeDim;
    fields[NativePrefill.MAX_BLOCKS] = columns;
    fields[NativePrefill.CACHE_BLOCKS] = cache.blocks();
    fields[NativePrefill.CACHE] = elements.address();
    fields[NativePrefill.CACHE_STRIDE_BLOCK] = elements.stride(0);
    fields[NativePrefill.CACHE_STRIDE_TOKEN] = elements.stride(1);
    fields[NativePrefill.BLOCK_TABLE] = blockTable.address();
    fields[NativePrefill.BLOCK_TABLE_STRIDE] = blockTable.stride(0);
    fields[NativePrefill.CU_K] = keyStarts.address();
    fields[NativePrefill.FIRST_KEY] = firstKeys.address();
    fields[NativePrefill.LATENTS] = latents.address();
    fields[NativePrefill.LATENTS_STRIDE] = latents.stride(0);
    fields[NativePrefill.ROPE] = rope.address();
    fields[NativePrefill.ROPE_STRIDE] = rope.stride(0);
    return fields;
  }

  private static void requireRank(String name, DeviceTensor tensor, int rank) {
    CudaArgumentException.require(
        tensor.rank() == rank, "%s must have %d dimensions, is %s", name, rank, tensor);
  }

  private static long requireCount(String what, long count, long most) {
    CudaArgumentException.require(
        count <= most, "%s must be at most %d, are %d", what, most, count);
    return count;
  }

  private static long requireVector(String name, long elements) {
    CudaArgumentException.require(
        elements % 8 == 0, "%s's rows must be a multiple of 8 elements, are %d", name, elements);
    return elements;
  }
}
