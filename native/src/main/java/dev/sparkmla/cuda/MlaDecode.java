package dev.sparkmla.cuda;

import java.util.Arrays;

/**
 * Multi-head latent attention for decoding, over a paged cache: for each query row, softmax(scale ×
 * q · kᵀ) · v, where a cached token is one key of {@code latentDim + ropeDim} elements and its
 * value is the key's latent part (DeepSeek-V2, arXiv 2405.04434, section 2.1, in its absorbed
 * form).
 *
 * <pre>{@code
 * MlaDecode decode = MlaDecode.on(context);
 * try (MlaMetadata metadata = decode.metadata(MlaShape.of(batch, 1, heads, maxBlocks))) {
 *   metadata.update(lengths, stream);                       // once a step
 *   for (Layer layer : layers) {                            // once a layer
 *     decode.withKvCache(q, layer.cache(), blockTable, metadata.cacheSeqlens(), 512, metadata,
 *         scale, false, out, logSumExp, stream);
 *   }
 * }
 * }</pre>
 *
 * <p>Every call only enqueues work on its stream: it neither allocates nor waits, and may be
 * captured into a {@link CudaGraph}. The same input gives bit-identical output; under {@link
 * SplitPolicy#fixed} also whatever else is in the batch.
 *
 * <p>Immutable and thread-safe; calls that share an {@link MlaMetadata} belong on one stream.
 */
public final class MlaDecode {
  /** Tokens in one page of the cache. */
  public static final int PAGE_TOKENS = 64;

  private static final int ALIGNMENT_BYTES = 16;
  private static final int ALIGNMENT_ELEMENTS = 8;

  private final CudaContext context;

  /** For tests of argument checks, which need neither device nor library. */
  MlaDecode(CudaContext context) {
    this.context = context;
  }

  /**
   * Readies decoding on a device.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public static MlaDecode on(CudaContext context) {
    context.device().requireHopper();
    NativeLibrary.load();
    return new MlaDecode(context);
  }

  /**
   * Allocates what a step of these sizes needs on the device.
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
   * @param kCache bfloat16 [blocks, 64, h_kv, latentDim + ropeDim]; tokens past a sequence's end
   *     may hold anything, NaN too
   * @param blockTable int32 [batch, maxBlocks]: the pages of each sequence; entries past its last
   *     page are never looked at, those before must be less than the number of blocks
   * @param cacheSeqlens int32 [batch]: the lengths that {@code metadata} was updated with
   * @param headDimV elements of an output row, the latent dimension
   * @param metadata of this step
   * @param softmaxScale positive and finite, such as 576^-0.5
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
      DeviceTensor kCache,
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
            kCache,
            blockTable,
            cacheSeqlens,
            headDimV,
            softmaxScale,
            causal,
            out,
            logSumExp);
    requireContext("stream", stream.context(), context);
    metadata.describe(fields);
    fields[NativeLibrary.STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(NativeLibrary.decode(fields), "spark_mla_decode", context.device());
  }

  /**
   * The same function computed plainly in float32, slowly, for any dimensions: the oracle of tests.
   * {@code out} is float32 here.
   */
  void reference(
      MlaShape shape,
      DeviceTensor q,
      DeviceTensor kCache,
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
            kCache,
            blockTable,
            cacheSeqlens,
            shape.latentDim(),
            softmaxScale,
            causal,
            out,
            logSumExp);
    fields[NativeLibrary.STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(
        NativeLibrary.decodeReference(fields), "spark_mla_decode_reference", context.device());
  }

  /** Checks everything that a call can be wrong about, and returns it as native code takes it. */
  long[] check(
      MlaShape shape,
      ElementType outType,
      DeviceTensor q,
      DeviceTensor kCache,
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
    CudaArgumentException.require(
        softmaxScale > 0 && Float.isFinite(softmaxScale),
        "softmaxScale must be positive and finite, is %s",
        softmaxScale);
    requireAttention(
        "q",
        q,
        ElementType.BFLOAT16,
        shape.batch(),
        shape.queryTokens(),
        shape.queryHeads(),
        shape.keyDim());
    requireAttention(
        "kCache",
        kCache,
        ElementType.BFLOAT16,
        kCache.dimension(0),
        PAGE_TOKENS,
        shape.kvHeads(),
        shape.keyDim());
    CudaArgumentException.require(
        kCache.dimension(0) <= Integer.MAX_VALUE,
        "kCache must have at most %d blocks, has %d",
        Integer.MAX_VALUE,
        kCache.dimension(0));
    requireAttention(
        "out",
        out,
        outType,
        shape.batch(),
        shape.queryTokens(),
        shape.queryHeads(),
        shape.latentDim());
    requireType("blockTable", blockTable, ElementType.INT32);
    requireShape("blockTable", blockTable, shape.batch(), shape.maxBlocks());
    CudaArgumentException.require(
        blockTable.stride(1) == 1, "blockTable's columns must be contiguous");
    CudaArgumentException.require(
        shape.batch() == 1 || blockTable.stride(0) >= shape.maxBlocks(),
        "blockTable's rows overlap: stride %d for %d columns",
        blockTable.stride(0),
        shape.maxBlocks());
    requireAligned("blockTable", blockTable, Integer.BYTES);
    requireContext("blockTable", blockTable.buffer().context(), context);
    requireLengths(cacheSeqlens, shape, context);
    requireType("logSumExp", logSumExp, ElementType.FLOAT32);
    requireShape("logSumExp", logSumExp, shape.batch(), shape.queryHeads(), shape.queryTokens());
    requireContiguous("logSumExp", logSumExp);
    requireAligned("logSumExp", logSumExp, Float.BYTES);
    requireContext("logSumExp", logSumExp.buffer().context(), context);

    long[] fields = MlaMetadata.fields(shape);
    fields[NativeLibrary.FLAGS] = causal ? NativeLibrary.CAUSAL : 0;
    fields[NativeLibrary.CACHE_BLOCKS] = kCache.dimension(0);
    fields[NativeLibrary.SOFTMAX_SCALE] = Float.floatToRawIntBits(softmaxScale);
    fields[NativeLibrary.Q] = q.address();
    fields[NativeLibrary.Q_STRIDE_BATCH] = q.stride(0);
    fields[NativeLibrary.Q_STRIDE_TOKEN] = q.stride(1);
    fields[NativeLibrary.Q_STRIDE_HEAD] = q.stride(2);
    fields[NativeLibrary.K_CACHE] = kCache.address();
    fields[NativeLibrary.K_CACHE_STRIDE_BLOCK] = kCache.stride(0);
    fields[NativeLibrary.K_CACHE_STRIDE_TOKEN] = kCache.stride(1);
    fields[NativeLibrary.K_CACHE_STRIDE_HEAD] = kCache.stride(2);
    fields[NativeLibrary.BLOCK_TABLE] = blockTable.address();
    fields[NativeLibrary.BLOCK_TABLE_STRIDE] = blockTable.stride(0);
    fields[NativeLibrary.CACHE_SEQLENS] = cacheSeqlens.address();
    fields[NativeLibrary.OUT] = out.address();
    fields[NativeLibrary.OUT_STRIDE_BATCH] = out.stride(0);
    fields[NativeLibrary.OUT_STRIDE_TOKEN] = out.stride(1);
    fields[NativeLibrary.OUT_STRIDE_HEAD] = out.stride(2);
    fields[NativeLibrary.LSE] = logSumExp.address();
    return fields;
  }

  static void requireLengths(DeviceTensor cacheSeqlens, MlaShape shape, CudaContext context) {
    requireType("cacheSeqlens", cacheSeqlens, ElementType.INT32);
    requireShape("cacheSeqlens", cacheSeqlens, shape.batch());
    requireContiguous("cacheSeqlens", cacheSeqlens);
    requireAligned("cacheSeqlens", cacheSeqlens, Integer.BYTES);
    requireContext("cacheSeqlens", cacheSeqlens.buffer().context(), context);
  }

  static void requireContext(String name, CudaContext actual, CudaContext wanted) {
    CudaArgumentException.require(
        actual == wanted, "%s belongs to another context: the %s", name, actual);
  }

  private void requireAttention(String name, DeviceTensor tensor, ElementType type, long... shape) {
    requireType(name, tensor, type);
    requireShape(name, tensor, shape);
    int last = shape.length - 1;
    CudaArgumentException.require(
        tensor.stride(last) == 1, "%s's last dimension must be contiguous", name);
    for (int axis = 0; axis < last; axis++) {
      long stride = tensor.stride(axis);
      CudaArgumentException.require(
          stride % ALIGNMENT_ELEMENTS == 0 && (shape[axis] == 1 || stride >= shape[last]),
          "%s's stride %d must be a multiple of 8 and at least %d, is %d",
          name,
          axis,
          shape[last],
          stride);
    }
    requireAligned(name, tensor, ALIGNMENT_BYTES);
    requireContext(name, tensor.buffer().context(), context);
  }

  static void requireType(String name, DeviceTensor tensor, ElementType type) {
    CudaArgumentException.require(
        tensor.type() == type, "%s must be %s, is %s", name, type, tensor);
  }

  static void requireShape(String name, DeviceTensor tensor, long... shape) {
    boolean same = tensor.rank() == shape.length;
    for (int axis = 0; same && axis < shape.length; axis++) {
      same = tensor.dimension(axis) == shape[axis];
    }
    CudaArgumentException.require(
        same, "%s must have the shape %s, is %s", name, Arrays.toString(shape), tensor);
  }

  static void requireContiguous(String name, DeviceTensor tensor) {
    long stride = 1;
    for (int axis = tensor.rank() - 1; axis >= 0; axis--) {
      CudaArgumentException.require(
          tensor.dimension(axis) == 1 || tensor.stride(axis) == stride,
          "%s must be contiguous, stride %d is %d",
          name,
          axis,
          tensor.stride(axis));
      stride *= tensor.dimension(axis);
    }
  }

  static void requireAligned(String name, DeviceTensor tensor, int bytes) {
    CudaArgumentException.require(
        tensor.address() % bytes == 0,
        "%s must start at a multiple of %d bytes, starts at 0x%x",
        name,
        bytes,
        tensor.address());
  }
}
