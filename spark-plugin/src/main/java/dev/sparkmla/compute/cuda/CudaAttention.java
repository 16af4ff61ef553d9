package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Gemm;
import dev.sparkmla.cuda.MlaDecode;
import dev.sparkmla.cuda.MlaMetadata;
import dev.sparkmla.cuda.MlaPrefill;
import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.RotaryEmbedding;
import dev.sparkmla.cuda.SplitPolicy;
import dev.sparkmla.kvcache.CacheShape;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Attention of a step: absorbed for the rows that decode, expanded for those that prefill. */
final class CudaAttention implements AutoCloseable {
  private final CudaStream stream;
  private final Gemm products;
  private final Arena arena;
  private final MlaDecode decode;
  private final MlaPrefill prefill;
  private final Map<MlaShape, MlaMetadata> metadata = new HashMap<>();

  CudaAttention(CudaContext context, CudaStream stream, Gemm products, Arena arena) {
    this.stream = stream;
    this.products = products;
    this.arena = arena;
    this.decode = MlaDecode.on(context);
    this.prefill = MlaPrefill.on(context);
  }

  /**
   * Refuses sizes that no kernel is built for.
   *
   * @throws ComputeException naming them and what is supported
   */
  void requireSupported(AttentionShape shape) {
    CacheShape cache = shape.cache();
    boolean built =
        MlaDecode.supports(cache.latent(), cache.rope())
            && MlaPrefill.supports(shape.nope(), cache.rope(), shape.value())
            && RotaryEmbedding.supports(cache);
    if (!built) {
      throw new ComputeException(
          "no CUDA kernels are built for a latent of %d + %d elements and heads of %d + %d and %d"
                  .formatted(
                      cache.latent(), cache.rope(), shape.nope(), cache.rope(), shape.value())
              + " (latent + rope, query, value); docs/kernels.md lists the sizes there are."
              + " spark.mla.backend=cpu computes any size");
    }
  }

  void absorb(
      CudaActivation queries,
      CudaWeight keyValue,
      AttentionShape shape,
      RotaryEmbedding rotation,
      CudaPlan plan,
      CudaActivation out) {
    int rows = plan.decodeRows();
    int heads = shape.heads();
    CacheShape cache = shape.cache();
    rotation.rotate(
        queries.heads(0, rows, heads, shape.queryHead(), shape.nope(), cache.rope()),
        plan.positions(0, rows),
        out.heads(0, rows, heads, cache.width(), cache.latent(), cache.rope()),
        stream);
    products.multiplyHeads(
        queries.heads(0, rows, heads, shape.queryHead(), 0, shape.nope()),
        keyValue.heads(heads, 0, shape.nope()),
        true,
        out.heads(0, rows, heads, cache.width(), 0, cache.latent()),
        stream);
  }

  void decode(
      CudaActivation absorbed,
      AttentionShape shape,
      CudaPlan plan,
      DeviceTensor cache,
      CudaActivation out) {
    // Rows past the plan's lie in the same memory; their length is 0.
    int rows = plan.decodeSlots();
    int heads = shape.heads();
    int latent = shape.cache().latent();
    MlaShape step =
        new MlaShape(
            rows,
            1,
            heads,
            1,
            latent,
            shape.cache().rope(),
            plan.tableWidth(),
            SplitPolicy.BY_LENGTH);
    MlaMetadata cut = metadata.computeIfAbsent(step, decode::metadata);
    if (plan.claimScheduling()) {
      cut.update(plan.lengths(), stream);
    }
    long bytes = (long) rows * heads * Float.BYTES;
    try (Arena.Block block = arena.take(bytes)) {
      decode.withKvCache(
          whole(absorbed, rows, heads, shape.cache().width()),
          cache,
          plan.tables(),
          plan.lengths(),
          latent,
          cut,
          shape.scale(),
          false,
          whole(out, rows, heads, latent),
          DeviceTensor.of(block.buffer(), block.offset(), ElementType.FLOAT32, rows, heads, 1),
          stream);
    }
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
      CudaActivation latents,
      CudaWeight keyValue,
      AttentionShape shape,
      CudaPlan plan,
      CudaActivation out) {
    int rows = plan.decodeRows();
    int heads = shape.heads();
    int latent = shape.cache().latent();
    int value = shape.value();
    products.multiplyHeads(
        latents.heads(0, rows, heads, latent, 0, latent),
        keyValue.heads(heads, shape.nope(), value),
        false,
        out.heads(0, rows, heads, value, 0, value),
        stream);
  }

  void prefill(
      CudaActivation queries,
      CudaWeight keyValue,
      AttentionShape shape,
      RotaryEmbedding rotation,
      CudaPlan plan,
      DeviceTensor cache,
      CudaActivation out) {
    int first = plan.decodeRows();
    int rows = plan.rows() - first;
    int rope = shape.cache().rope();
    DeviceTensor turned =
        queries.heads(first, rows, shape.heads(), shape.queryHead(), shape.nope(), rope);
    rotation.rotate(turned, plan.positions(first, rows), turned, stream);
    Optional<Arena.Block> logSumExp = Optional.empty();
    try {
      for (PrefillRun run : plan.runs()) {
        if (!run.merge()) {
          logSumExp.ifPresent(Arena.Block::close);
          logSumExp = Optional.empty();
          logSumExp = Optional.of(arena.take((long) shape.heads() * run.rows() * Float.BYTES));
        }
        attend(queries, keyValue, shape, plan, run, cache, logSumExp.orElseThrow(), out);
      }
    } finally {
      logSumExp.ifPresent(Arena.Block::close);
    }
  }

  /** Expands a run's keys and values and attends to them. */
  private void attend(
      CudaActivation queries,
      CudaWeight keyValue,
      AttentionShape shape,
      CudaPlan plan,
      PrefillRun run,
      DeviceTensor cache,
      Arena.Block logSumExp,
      CudaActivation out) {
    int heads = shape.heads();
    int each = shape.keyValueHead();
    int query = shape.queryHead();
    int value = shape.value();
    int row = plan.decodeRows() + run.firstRow();
    try (CudaActivation latents =
            new CudaActivation(arena, run.keys(), shape.cache().latent(), Precision.BFLOAT16);
        CudaActivation rope =
            new CudaActivation(arena, run.keys(), shape.cache().rope(), Precision.BFLOAT16);
        CudaActivation expanded =
            new CudaActivation(arena, run.keys(), shape.keyValueRows(), Precision.BFLOAT16)) {
      prefill.gatherCache(
          cache,
          plan.tables(run),
          plan.keyStarts(run),
          plan.firstKeys(run),
          latents.tensor(),
          rope.tensor(),
          stream);
      products.multiply(latents.tensor(), keyValue.matrix(), expanded.tensor(), stream);
      prefill.attention(
          queries.heads(row, run.rows(), heads, query, 0, query),
          expanded.heads(0, run.keys(), heads, each, 0, each),
          rope.tensor(),
          plan.queryStarts(run),
          plan.keyStarts(run),
          plan.queryOffsets(run),
          shape.nope(),
          shape.scale(),
          run.merge(),
          out.heads(row, run.rows(), heads, value, 0, value),
          DeviceTensor.of(
              logSumExp.buffer(), logSumExp.offset(), ElementType.FLOAT32, heads, run.rows()),
          stream);
    }
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    metadata.values().forEach(MlaMetadata::close);
    metadata.clear();
  }
}
