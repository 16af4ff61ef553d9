package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * The schedule of one decode step on the device, and the scratch memory (workspace) that its
 * attention needs. Made by {@link MlaDecode#metadata(MlaShape)} once for a shape; {@link
 * #update(DeviceTensor, CudaStream)} for each step's lengths; then used by every layer of the step.
 *
 * <p>One stream at a time: two layers that ran at once would share the workspace.
 */
public final class MlaMetadata extends DeviceKernels implements AutoCloseable {
  /** int32 values in a row of the scheduler's table. */
  static final int TABLE_WIDTH = 8;

  private final MlaShape shape;
  private final int parts;
  private final DeviceBuffer table;
  private final DeviceBuffer splits;
  private final DeviceBuffer lengths;
  private final DeviceBuffer workspace;
  private final boolean ownsMemory;
  private final Optional<DeviceTensor> settled;

  private MlaMetadata(
      CudaContext context, MlaShape shape, int parts, DeviceBuffer[] memory, boolean ownsMemory) {
    this(context, shape, parts, memory, ownsMemory, Optional.empty());
  }

  private MlaMetadata(
      CudaContext context,
      MlaShape shape,
      int parts,
      DeviceBuffer[] memory,
      boolean ownsMemory,
      Optional<DeviceTensor> settled) {
    super(context);
    this.settled = settled;
    this.shape = shape;
    this.parts = parts;
    table = memory[0];
    splits = memory[1];
    lengths = memory[2];
    workspace = memory[3];
    this.ownsMemory = ownsMemory;
  }

  static MlaMetadata allocate(CudaContext context, MlaShape shape) {
    long workspaceBytes = workspaceBytes(context, shape);
    long[] parts = new long[1];
    NativeLibrary.check(
        NativeDecode.smParts(fields(shape), parts), "spark_mla_decode_sm_parts", context.device());
    long[] sizes = {
      parts[0] * TABLE_WIDTH * Integer.BYTES,
      (shape.batch() + 1L) * Integer.BYTES,
      (long) shape.batch() * Integer.BYTES,
      workspaceBytes
    };
    DeviceBuffer[] memory = new DeviceBuffer[sizes.length];
    try {
      for (int i = 0; i < sizes.length; i++) {
        memory[i] = context.allocate(sizes[i]);
      }
    } catch (RuntimeException e) {
      for (DeviceBuffer buffer : memory) {
        if (buffer != null) {
          buffer.close();
        }
      }
      throw e;
    }
    return new MlaMetadata(context, shape, Math.toIntExact(parts[0]), memory, true);
  }

  /** Whatever the lengths. */
  private static long workspaceBytes(CudaContext context, MlaShape shape) {
    context.makeCurrent();
    long[] bytes = new long[1];
    NativeLibrary.check(
        NativeDecode.workspaceSize(fields(shape), bytes),
        "spark_mla_decode_workspace_size of latent %d and rope %d"
            .formatted(shape.latentDim(), shape.ropeDim()),
        context.device());
    return Math.max(bytes[0], 16);
  }

  /** Over memory of the caller's: for tests of argument checks, which never reach the device. */
  static MlaMetadata over(DeviceBuffer memory, MlaShape shape) {
    return new MlaMetadata(
        memory.context(), shape, 1, new DeviceBuffer[] {memory, memory, memory, memory}, false);
  }

  /**
   * The same memory, used for a step of another shape that needs no more of it: as many heads of
   * the same dimensions, no more sequences, no wider block table. It ends with this object; closing
   * it does nothing.
   *
   * @throws CudaArgumentException where the shape needs more
   */
  public MlaMetadata withShape(MlaShape other) {
    CudaArgumentException.require(
        other.batch() <= shape.batch()
            && other.maxBlocks() <= shape.maxBlocks()
            && other.queryTokens() == shape.queryTokens()
            && other.queryHeads() == shape.queryHeads()
            && other.kvHeads() == shape.kvHeads()
            && other.latentDim() == shape.latentDim()
            && other.ropeDim() == shape.ropeDim()
            && other.splits().equals(shape.splits()),
        "metadata for %s has no room for %s",
        shape,
        other);
    long needed = workspaceBytes(context, other);
    CudaArgumentException.require(
        needed <= workspace.bytes(),
        "metadata for %s has a workspace of %d bytes, and %s needs %d",
        shape,
        workspace.bytes(),
        other,
        needed);
    DeviceBuffer[] memory = {table, splits, lengths, workspace};
    return new MlaMetadata(context, other, parts, memory, false);
  }

  /**
   * The same schedule, for layers after the first of a step: their attention may read tokens before
   * the kernel before it has ended. It ends with this object; closing it does nothing.
   *
   * @param settled int32 [batch], contiguous: so many tokens of each sequence are in the cache, and
   *     this, the block table, the lengths and the schedule are what they are, since before an
   *     earlier {@link MlaDecode#withKvCache} on the same stream
   * @throws CudaArgumentException where the tensor is not of that type and shape
   */
  public MlaMetadata settled(DeviceTensor settled) {
    TensorChecks.requireIntegers(context, "settled", settled, shape.batch());
    DeviceBuffer[] memory = {table, splits, lengths, workspace};
    return new MlaMetadata(context, shape, parts, memory, false, Optional.of(settled));
  }

  /** The sizes it was made for. */
  public MlaShape shape() {
    return shape;
  }

  /** The scheduler's table: int32 [parts, 8]; its columns are the kernels' own business. */
  DeviceTensor table() {
    return table.tensor(ElementType.INT32, parts, TABLE_WIDTH);
  }

  /** int32 [batch + 1]: running count of the splits that each sequence is cut into. */
  DeviceTensor numSplits() {
    return splits.tensor(ElementType.INT32, shape.batch() + 1);
  }

  /** int32 [batch]: the lengths last given to {@link #update(int[], CudaStream)}. */
  public DeviceTensor cacheSeqlens() {
    return lengths.tensor(ElementType.INT32, shape.batch());
  }

  /** Bytes of device memory that end with this object. */
  public long bytes() {
    return ownsMemory ? table.bytes() + splits.bytes() + lengths.bytes() + workspace.bytes() : 0;
  }

  /**
   * Checks lengths, copies them to {@link #cacheSeqlens} and schedules the work for them. Waits for
   * the copy, so it cannot be captured into a graph.
   *
   * @param tokens of each sequence in the cache, this step's included
   * @throws CudaArgumentException naming the sequence and its length
   */
  public void update(int[] tokens, CudaStream stream) {
    shape.checkLengths(tokens);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(tokens.length * Integer.BYTES).order(ByteOrder.nativeOrder());
    bytes.asIntBuffer().put(tokens);
    lengths.copyFromHost(0, bytes, stream);
    update(cacheSeqlens(), stream);
  }

  /**
   * Enqueues scheduling the work for lengths that are on the device already; may be captured into a
   * graph. The caller answers for the lengths: each between 0 and {@link MlaShape#maxTokens}.
   *
   * @param cacheSeqlens int32 [batch], contiguous
   * @throws CudaArgumentException where the tensor is not of that type and shape
   */
  public void update(DeviceTensor cacheSeqlens, CudaStream stream) {
    MlaDecode.requireLengths(cacheSeqlens, shape, context);
    long[] fields = fields(shape);
    fields[NativeDecode.CACHE_SEQLENS] = cacheSeqlens.address();
    describe(fields);
    enqueue("spark_mla_decode_metadata", NativeDecode::metadata, fields, stream);
  }

  /** Writes what the kernels ask about this object. */
  void describe(long[] fields) {
    fields[NativeDecode.NUM_SM_PARTS] = parts;
    fields[NativeDecode.METADATA] = table.address();
    fields[NativeDecode.SETTLED] = settled.map(DeviceTensor::address).orElse(0L);
    fields[NativeDecode.NUM_SPLITS] = splits.address();
    fields[NativeDecode.WORKSPACE] = workspace.address();
    fields[NativeDecode.WORKSPACE_BYTES] = workspace.bytes();
  }

  /** A call's fields with the sizes filled in. */
  static long[] fields(MlaShape shape) {
    long[] fields = new long[NativeDecode.FIELD_COUNT];
    fields[NativeDecode.BATCH] = shape.batch();
    fields[NativeDecode.S_Q] = shape.queryTokens();
    fields[NativeDecode.H_Q] = shape.queryHeads();
    fields[NativeDecode.H_KV] = shape.kvHeads();
    fields[NativeDecode.LATENT_DIM] = shape.latentDim();
    fields[NativeDecode.ROPE_DIM] = shape.ropeDim();
    fields[NativeDecode.MAX_BLOCKS] = shape.maxBlocks();
    fields[NativeDecode.SPLIT_POLICY] = shape.splits().code();
    return fields;
  }

  /**
   * Frees the memory that this object owns; work that uses it must be done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    if (ownsMemory) {
      table.close();
      splits.close();
      lengths.close();
      workspace.close();
    }
  }
}
