package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;
import static dev.sparkmla.cuda.TensorChecks.requireIntegers;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The angles of a rotary embedding on a device (Su et al. 2021, arXiv:2104.09864), and the
 * operations that turn by them. It owns the table of angles. Operations only enqueue and may be
 * captured into a graph. Thread-safe.
 */
public final class RotaryEmbedding implements AutoCloseable {
  /** Elements that are turned. */
  public static final int DIMENSION = 64;

  private static final int PAIRS = DIMENSION / 2;
  private static final int LATENT = 512;

  private final CudaContext context;
  private final DeviceBuffer angles;
  private final boolean interleaved;
  private final int positions;

  private RotaryEmbedding(
      CudaContext context, DeviceBuffer angles, boolean interleaved, int positions) {
    this.context = context;
    this.angles = angles;
    this.interleaved = interleaved;
    this.positions = positions;
  }

  /**
   * Computes the angles: pair i of a token at position p turns by {@code p *
   * inverseFrequencies[i]}. Waits for them.
   *
   * @param inverseFrequencies {@code [32]}
   * @param factor multiplies cosines and sines
   * @param interleaved whether pair i is elements (2i, 2i + 1), or (i, i + 32)
   * @param positions how many, from 0; at least 1
   * @throws CudaException where there is no memory for them
   */
  public static RotaryEmbedding of(
      CudaContext context,
      double[] inverseFrequencies,
      double factor,
      boolean interleaved,
      int positions,
      CudaStream stream) {
    CudaArgumentException.require(
        inverseFrequencies.length == PAIRS && positions >= 1,
        "rotary embedding of %d pairs and %d positions; 32 pairs and at least 1 are needed",
        inverseFrequencies.length,
        positions);
    NativeLibrary.load();
    DeviceBuffer table = context.allocate((long) positions * DIMENSION * Float.BYTES);
    try (DeviceBuffer frequencies = context.allocate((long) PAIRS * Double.BYTES)) {
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(PAIRS * Double.BYTES).order(ByteOrder.nativeOrder());
      bytes.asDoubleBuffer().put(inverseFrequencies);
      frequencies.copyFromHost(0, bytes, stream);
      NativeLibrary.check(
          OperationsLibrary.ropeTable(
              positions, factor, frequencies.address(), table.address(), stream.address()),
          "spark_mla_rope_table",
          context.device());
      stream.synchronize();
      return new RotaryEmbedding(context, table, interleaved, positions);
    } catch (RuntimeException e) {
      table.close();
      throw e;
    }
  }

  /**
   * Enqueues turning 64 elements of every head by the row's position; the strides of rows and heads
   * are free.
   *
   * @param in bfloat16 [rows, heads, 64]
   * @param position int32 [rows]
   * @param out gets bfloat16 [rows, heads, 64]; may be {@code in}
   * @throws CudaArgumentException where this does not hold
   */
  public void rotate(DeviceTensor in, DeviceTensor position, DeviceTensor out, CudaStream stream) {
    CudaArgumentException.require(in.rank() == 3, "in must have 3 dimensions, is %s", in);
    long rows = in.dimension(0);
    long heads = in.dimension(1);
    requireRows(context, "in", in, ElementType.BFLOAT16, rows, heads, DIMENSION);
    requireRows(context, "out", out, ElementType.BFLOAT16, rows, heads, DIMENSION);
    requireIntegers(context, "position", position, rows);
    requireContext("stream", stream.context(), context);
    context.makeCurrent();
    NativeLibrary.check(
        OperationsLibrary.rotate(
            Math.toIntExact(rows),
            Math.toIntExact(heads),
            interleaved,
            positions,
            in.address(),
            in.stride(0),
            in.stride(1),
            out.address(),
            out.stride(0),
            out.stride(1),
            angles.address(),
            position.address(),
            stream.address()),
        "spark_mla_rotate",
        context.device());
  }

  /**
   * Enqueues writing tokens into a layer of the paged cache: the latent after its RMS norm, then
   * the key turned by the token's position.
   *
   * @param in bfloat16 or float32 [rows, 576]: 512 latents, 64 key elements
   * @param gain float32 [512], of the norm
   * @param epsilon of the norm
   * @param position int32 [rows]
   * @param slot int32 [rows]: block × 64 + place within it; a negative one leaves the row out. The
   *     caller answers for their range
   * @param cache bfloat16 [blocks, 64, 1, 576], contiguous
   * @throws CudaArgumentException where this does not hold
   */
  public void writeCache(
      DeviceTensor in,
      DeviceTensor gain,
      float epsilon,
      DeviceTensor position,
      DeviceTensor slot,
      DeviceTensor cache,
      CudaStream stream) {
    long rows = in.dimension(0);
    requireRows(context, "in", in, in.type(), rows, LATENT + DIMENSION);
    requireRows(context, "gain", gain, ElementType.FLOAT32, LATENT);
    requireIntegers(context, "position", position, rows);
    requireIntegers(context, "slot", slot, rows);
    requireRows(
        context,
        "cache",
        cache,
        ElementType.BFLOAT16,
        cache.dimension(0),
        MlaDecode.PAGE_TOKENS,
        1,
        LATENT + DIMENSION);
    TensorChecks.requireContiguous("cache", cache);
    requireContext("stream", stream.context(), context);
    context.makeCurrent();
    NativeLibrary.check(
        OperationsLibrary.writeCache(
            Math.toIntExact(rows),
            RowOperations.code(in.type()),
            interleaved,
            epsilon,
            positions,
            in.address(),
            in.stride(0),
            gain.address(),
            angles.address(),
            position.address(),
            slot.address(),
            cache.address(),
            stream.address()),
        "spark_mla_write_cache",
        context.device());
  }

  /**
   * Frees the angles; work that uses them must be done.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    angles.close();
  }
}
