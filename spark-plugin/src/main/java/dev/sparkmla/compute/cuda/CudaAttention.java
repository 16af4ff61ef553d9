package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Gemm;
import dev.sparkmla.cuda.MlaDecode;
import dev.sparkmla.cuda.MlaPrefill;
import dev.sparkmla.cuda.PagedCache;
import dev.sparkmla.kvcache.CacheShape;
import java.util.HashMap;
import java.util.Map;

/** Attention of a step: absorbed for the rows that decode, expanded for those that prefill. */
final class CudaAttention implements AutoCloseable {
  private final CudaStream stream;
  private final Gemm gemm;
  private final Arena arena;
  private final MlaDecode decode;
  private final MlaPrefill prefill;
  private final Runnable moved;
  private final DeviceBuffer nextTile; // of prefill; one, since all calls are on one stream
  private final Map<AttentionShape, DecodeWorkspace> workspaces = new HashMap<>();

  /**
   * Attention without a workspace for decode.
   *
   * @param moved is called when addresses change that a graph may have recorded
   */
  CudaAttention(CudaContext context, CudaStream stream, Gemm gemm, Arena arena, Runnable moved) {
    this.stream = stream;
    this.gemm = gemm;
    this.arena = arena;
    this.moved = moved;
    this.decode = MlaDecode.on(context);
    this.prefill = MlaPrefill.on(context);
    this.nextTile = zero(context, stream);
  }

  private static DeviceBuffer zero(CudaContext context, CudaStream stream) {
    DeviceBuffer buffer = context.allocate(Integer.BYTES);
    try {
      buffer.fill(0, Integer.BYTES, (byte) 0, stream);
      return buffer;
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
  }

  /**
   * Refuses sizes that no kernel is built for.
   *
   * @throws ComputeException naming them and what is supported
   */
  void requireSupported(AttentionShape shape) {
    shape
        .growth()
        .ifPresent(
            growth -> {
              throw new ComputeException(
                  "no CUDA kernels are built for queries that grow from position "
                      + growth.period()
                      + " on (llama_4_scaling_beta); spark.mla.backend=cpu computes them, and a"
                      + " max_position_embeddings of at most "
                      + growth.period()
                      + " needs none");
            });
    CacheShape cache = shape.cache();
    boolean built =
        PagedCache.supports(cache)
            && MlaPrefill.supports(shape.nope(), cache.rope(), shape.value());
    if (!built) {
      throw new ComputeException(
          "no CUDA kernels are built for a latent of %d + %d elements and heads of %d + %d and %d"
                  .formatted(
                      cache.latent(), cache.rope(), shape.nope(), cache.rope(), shape.value())
              + " (latent + rope, query, value); docs/kernels.md lists the sizes there are."
              + " spark.mla.backend=cpu computes any size");
    }
  }

  void writeCacheAndAbsorb(
      CudaActivation latents,
      CudaActivation queries,
      LatentAttention attention,
      CudaPlan plan,
      CudaCache tokens,
      CudaActivation out) {
    AttentionShape shape = attention.shape();
    int rows = plan.decodeRows();
    int heads = shape.heads();
    CacheShape cache = shape.cache();
    CudaRotation.of(attention.rotation())
        .writeCacheAndRotate(
            latents.tensor(),
            CudaVector.of(attention.latentGain()),
            attention.latentEpsilon(),
            plan.positions(0, plan.rows()),
            plan.slots(),
            tokens.layer(attention.layer()),
            queries.heads(0, rows, heads, shape.queryHead(), shape.nope(), cache.rope()),
            out.heads(0, rows, heads, cache.width(), cache.latent(), cache.rope()),
            stream);
    gemm.multiplyHeads(
        queries.heads(0, rows, heads, shape.queryHead(), 0, shape.nope()),
        CudaWeight.of(attention.keyValue()).heads(heads, 0, shape.nope()),
        true,
        out.heads(0, rows, heads, cache.width(), 0, cache.latent()),
        stream);
  }

  void decode(
      CudaActivation absorbed,
      LatentAttention attention,
      CudaPlan plan,
      CudaCache cache,
      CudaActivation out) {
    AttentionShape shape = attention.shape();
    // Rows past the plan's lie in the same memory; their length is 0.
    int rows = plan.layout().decodeSlots();
    int heads = shape.heads();
    int latent = shape.cache().latent();
    DecodeWorkspace workspace =
        workspaces.computeIfAbsent(
            shape, sizes -> new DecodeWorkspace(sizes, decode, stream, moved));
    try (Arena.Block block = decodeLogSumExp(arena, shape, plan.layout())) {
      decode.withKvCache(
          whole(absorbed, rows, heads, shape.cache().width()),
          cache.layer(attention.layer()),
          plan.tables(),
          plan.lengths(),
          latent,
          workspace.of(plan),
          shape.scale(),
          false,
          whole(out, rows, heads, latent),
          DeviceTensor.of(block.buffer(), block.offset(), ElementType.FLOAT32, rows, heads, 1),
          stream);
    }
  }

  /** Takes memory for float32 {@code [decode slots, heads]}. */
  static Arena.Block decodeLogSumExp(Arena arena, AttentionShape shape, PlanLayout layout) {
    return arena.take((long) layout.decodeSlots() * shape.heads() * Float.BYTES);
  }

  private static DeviceTensor whole(CudaActivation rows, int count, int heads, int width) {
    DeviceTensor tensor = rows.heads(0, count, heads, width, 0, width);
    return DeviceTensor.strided(
        tensor.buffer(),
        tensor.address() - tensor.buffer().address(),
        tensor.type(),
        new long[] {count, 1, heads, width},
        new long[] {tensor.stride(0), tensor.stride(0), width, 1});
  }

  void project(
      CudaActivation latents, LatentAttention attention, CudaPlan plan, CudaActivation out) {
    AttentionShape shape = attention.shape();
    int rows = plan.decodeRows();
    int heads = shape.heads();
    int latent = shape.cache().latent();
    int value = shape.value();
    gemm.multiplyHeads(
        latents.heads(0, rows, heads, latent, 0, latent),
        CudaWeight.of(attention.keyValue()).heads(heads, shape.nope(), value),
        false,
        out.heads(0, rows, heads, value, 0, value),
        stream);
  }

  void prefill(
      CudaActivation queries,
      LatentAttention attention,
      CudaPlan plan,
      CudaCache cache,
      CudaActivation out) {
    AttentionShape shape = attention.shape();
    int first = plan.decodeRows();
    int rows = plan.rows() - first;
    int rope = shape.cache().rope();
    DeviceTensor turned =
        queries.heads(first, rows, shape.heads(), shape.queryHead(), shape.nope(), rope);
    CudaRotation.of(attention.rotation())
        .rotate(turned, plan.positions(first, rows), turned, stream);
    try (PrefillBuffers buffers =
        new PrefillBuffers(arena, shape, rows, plan.layout().mostKeys())) {
      for (PrefillRun run : plan.layout().runs()) {
        attend(queries, attention, plan, run, cache.layer(attention.layer()), buffers, out);
      }
    }
  }

  /** Expands a run's keys and values and attends to them. */
  private void attend(
      CudaActivation queries,
      LatentAttention attention,
      CudaPlan plan,
      PrefillRun run,
      PagedCache cache,
      PrefillBuffers buffers,
      CudaActivation out) {
    AttentionShape shape = attention.shape();
    int heads = shape.heads();
    int query = shape.queryHead();
    int value = shape.value();
    int row = plan.decodeRows() + run.firstRow();
    prefill.gatherCache(
        cache,
        plan.tables(run),
        plan.keyStarts(run),
        plan.firstKeys(run),
        buffers.latents(run),
        buffers.rope(run),
        stream);
    gemm.multiply(
        buffers.latents(run),
        CudaWeight.of(attention.keyValue()).matrix(),
        buffers.expanded(run),
        stream);
    prefill.attention(
        queries.heads(row, run.rows(), heads, query, 0, query),
        buffers.expandedHeads(run),
        buffers.rope(run),
        plan.queryStarts(run),
        plan.keyStarts(run),
        plan.queryOffsets(run),
        shape.nope(),
        shape.scale(),
        run.merge(),
        out.heads(row, run.rows(), heads, value, 0, value),
        buffers.logSumExp(run),
        nextTile.tensor(ElementType.INT32, 1),
        stream);
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    workspaces.values().forEach(DecodeWorkspace::close);
    workspaces.clear();
    nextTile.close();
  }
}
