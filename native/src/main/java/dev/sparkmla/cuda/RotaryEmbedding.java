package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContiguous;
import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireIntegers;
import static dev.sparkmla.cuda.TensorChecks.requireRows;
import static dev.sparkmla.cuda.TensorChecks.requireShape;

import dev.sparkmla.kvcache.CacheShape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A rotary position embedding on a device (Su et al. 2021, arXiv:2104.09864): the table of its
 * angles, which this object owns, and the operations that rotate by them. Its size is twice the
 * number of its frequencies. Operations only enqueue and may be captured into a graph.
 *
 * <p>Thread-safe. Closing it frees the table; work that uses it must be done.
 */
public final class RotaryEmbedding extends DeviceKernels implements AutoCloseable {
  private static final int MOST_PAIRS = 256;

  private final DeviceBuffer angles;
  private final int size;
  private final boolean interleaved;
  private final int positions;

  /**
   * @param angles float32 [positions, size]
   */
  RotaryEmbedding(
      CudaContext context, DeviceBuffer angles, int size, boolean interleaved, int positions) {
    super(context);
    this.angles = angles;
    this.size = size;
    this.interleaved = interleaved;
    this.positions = positions;
  }

  /**
   * Computes the table of angles: the angle of pair i at position p is {@code p *
   * inverseFrequencies[i]}. Waits until it is done.
   *
   * @param inverseFrequencies 1 to {@value #MOST_PAIRS} of them
   * @param factor multiplies cosines and sines
   * @param interleaved whether pair i is elements (2i, 2i + 1), or (i, i + size / 2)
   * @param positions the number of positions, from 0; at least 1
   * @throws CudaArgumentException where a number is out of range
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   * @throws CudaException where there is not enough memory
   */
  public static RotaryEmbedding of(
      CudaContext context,
      double[] inverseFrequencies,
      double factor,
      boolean interleaved,
      int positions,
      CudaStream stream) {
    int pairs = inverseFrequencies.length;
    CudaArgumentException.require(
        pairs >= 1 && pairs <= MOST_PAIRS && positions >= 1,
        "a rotary embedding of %d pairs and %d positions: needs 1 to %d pairs and at least 1"
            + " position",
        pairs,
        positions,
        MOST_PAIRS);
    context.requireKernels();
    int size = 2 * pairs;
    DeviceBuffer table = context.allocate((long) positions * size * Float.BYTES);
    try (DeviceBuffer frequencies = context.allocate((long) pairs * Double.BYTES)) {
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(pairs * Double.BYTES).order(ByteOrder.nativeOrder());
      bytes.asDoubleBuffer().put(inverseFrequencies);
      frequencies.copyFromHost(0, bytes, stream);
      RotaryEmbedding embedding = new RotaryEmbedding(context, table, size, interleaved, positions);
      embedding.computeAngles(frequencies, pairs, factor, stream);
      return embedding;
    } catch (RuntimeException | Error e) {
      table.close();
      throw e;
    }
  }

  private void computeAngles(
      DeviceBuffer frequencies, int pairs, double factor, CudaStream stream) {
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.POSITIONS] = positions;
    fields[NativeOperations.PAIRS] = pairs;
    fields[NativeOperations.FACTOR] = Double.doubleToRawLongBits(factor);
    fields[NativeOperations.INVERSE_FREQUENCIES] = frequencies.address();
    fields[NativeOperations.OUT] = angles.address();
    enqueue("spark_mla_rope_table", NativeOperations::ropeTable, fields, stream);
    stream.synchronize();
  }

  /** Elements that are rotated: twice the number of frequencies. */
  public int size() {
    return size;
  }

  /**
   * Enqueues rotating the elements of every head by the row's position. A position outside of the
   * table uses the nearest inside.
   *
   * @param in bfloat16 [rows, heads, size]; rows and heads may be strided
   * @param position int32 [rows]
   * @param out gets bfloat16 [rows, heads, size], likewise; may be {@code in}
   * @throws CudaArgumentException where this does not hold, or no kernel is built for this size
   * @throws CudaException where the launch fails
   */
  public void rotate(DeviceTensor in, DeviceTensor position, DeviceTensor out, CudaStream stream) {
    CudaArgumentException.require(in.rank() == 3, "in must have 3 dimensions, is %s", in);
    long[] fields = fields(in.dimension(0), position);
    checkHeads(in, out, fields);
    fields[NativeOperations.IN] = in.address();
    fields[NativeOperations.IN_STRIDE] = in.stride(0);
    fields[NativeOperations.IN_HEAD] = in.stride(1);
    enqueue(
        "spark_mla_rotate of %d elements".formatted(size),
        NativeOperations::rotate,
        fields,
        stream);
  }

  /** Checks heads that are rotated, and fills in what calls say of them alike. */
  private void checkHeads(DeviceTensor in, DeviceTensor out, long[] fields) {
    long rows = in.dimension(0);
    long heads = in.dimension(1);
    requireRows(context, "in", in, ElementType.BFLOAT16, rows, heads, size);
    requireRows(context, "out", out, ElementType.BFLOAT16, rows, heads, size);
    fields[NativeOperations.HEADS] = requireCount("heads", heads);
    fields[NativeOperations.OUT] = out.address();
    fields[NativeOperations.OUT_STRIDE] = out.stride(0);
    fields[NativeOperations.OUT_HEAD] = out.stride(1);
  }

  /**
   * Enqueues writing tokens into a layer of the paged cache: the latent after its RMS norm, then
   * the rope key rotated by the token's position.
   *
   * @param in bfloat16 or float32 [rows, cache.shape().width()]: a token's latent, then its rope
   *     key
   * @param gain float32 [cache.shape().latent()], of the norm
   * @param epsilon of the norm
   * @param position int32 [rows]
   * @param slot int32 [rows]: block × tokens of a page + the token's place within the block. A row
   *     whose slot the cache does not have, a negative one for instance, is left out
   * @param cache contiguous, with one head; its rope keys have twice as many elements as this
   *     embedding has frequencies
   * @throws CudaArgumentException where this does not hold, or no kernel is built for the cache's
   *     shape
   * @throws CudaException where the launch fails
   */
  public void writeCache(
      DeviceTensor in,
      DeviceTensor gain,
      float epsilon,
      DeviceTensor position,
      DeviceTensor slot,
      PagedCache cache,
      CudaStream stream) {
    write(checkWrite(in, gain, epsilon, position, slot, cache), cache, stream);
  }

  /**
   * Enqueues {@link #writeCache} and, of the first rows' queries, {@link #rotate} as one kernel.
   *
   * @param queries bfloat16 [n, heads, size] with n up to {@code in}'s rows; rows and heads may be
   *     strided
   * @param rotated gets bfloat16 [n, heads, size], likewise; may be {@code queries}
   */
  public void writeCacheAndRotate(
      DeviceTensor in,
      DeviceTensor gain,
      float epsilon,
      DeviceTensor position,
      DeviceTensor slot,
      PagedCache cache,
      DeviceTensor queries,
      DeviceTensor rotated,
      CudaStream stream) {
    long[] fields = checkWrite(in, gain, epsilon, position, slot, cache);
    CudaArgumentException.require(
        queries.rank() == 3 && queries.dimension(0) <= in.dimension(0),
        "queries must have 3 dimensions and at most %d rows, are %s",
        in.dimension(0),
        queries);
    checkHeads(queries, rotated, fields);
    fields[NativeOperations.QUERY_ROWS] = queries.dimension(0);
    fields[NativeOperations.QUERIES] = queries.address();
    fields[NativeOperations.QUERIES_STRIDE] = queries.stride(0);
    fields[NativeOperations.QUERIES_HEAD] = queries.stride(1);
    write(fields, cache, stream);
  }

  private void write(long[] fields, PagedCache cache, CudaStream stream) {
    CudaArgumentException.require(
        PagedCache.supports(cache.shape()),
        "no kernel writes the cache of %s; docs/kernels.md names the sizes that are built",
        cache.shape());
    enqueue("spark_mla_write_cache", NativeOperations::writeCache, fields, stream);
  }

  /** Checks the tensors of {@link #writeCache}, and returns the call's arguments. */
  long[] checkWrite(
      DeviceTensor in,
      DeviceTensor gain,
      float epsilon,
      DeviceTensor position,
      DeviceTensor slot,
      PagedCache cache) {
    CacheShape shape = cache.shape();
    CudaArgumentException.require(
        shape.rope() == size,
        "the cache's rope keys have %d elements, this embedding rotates %d",
        shape.rope(),
        size);
    long rows = in.dimension(0);
    requireRows(context, "in", in, in.type(), rows, shape.width());
    requireRows(context, "gain", gain, ElementType.FLOAT32, shape.latent());
    requireIntegers(context, "slot", slot, rows);
    cache.requireContext(context);
    requireShape("cache", cache.elements(), cache.blocks(), shape.page(), 1, shape.width());
    requireContiguous("cache", cache.elements());
    long[] fields = fields(rows, position);
    fields[NativeOperations.IN_TYPE] = RowOperations.code(in.type());
    fields[NativeOperations.IN] = in.address();
    fields[NativeOperations.IN_STRIDE] = in.stride(0);
    fields[NativeOperations.GAIN] = gain.address();
    fields[NativeOperations.EPSILON] = Float.floatToRawIntBits(epsilon);
    fields[NativeOperations.SLOT] = slot.address();
    fields[NativeOperations.LATENT_DIM] = shape.latent();
    fields[NativeOperations.BLOCKS] = cache.blocks();
    fields[NativeOperations.CACHE] = cache.elements().address();
    return fields;
  }

  /** What every call that rotates says of its rows and angles. */
  private long[] fields(long rows, DeviceTensor position) {
    requireIntegers(context, "position", position, rows);
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    fields[NativeOperations.ROWS] = requireCount("rows", rows);
    fields[NativeOperations.ROPE_DIM] = size;
    fields[NativeOperations.INTERLEAVED] = interleaved ? 1 : 0;
    fields[NativeOperations.POSITIONS] = positions;
    fields[NativeOperations.ANGLES] = angles.address();
    fields[NativeOperations.POSITION] = position.address();
    return fields;
  }

  /**
   * Frees the table of angles.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    angles.close();
  }
}
