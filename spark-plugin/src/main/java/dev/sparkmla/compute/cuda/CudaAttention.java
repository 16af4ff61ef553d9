package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.MatrixProducts;
import dev.sparkmla.cuda.MlaDecode;
import dev.sparkmla.cuda.MlaMetadata;
import dev.sparkmla.cuda.MlaPrefill;
import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.RotaryEmbedding;
import java.util.HashMap;
import java.util.Map;

/** Attention of a step: absorbed for the rows that decode, expanded for those that prefill. */
final class CudaAttention implements AutoCloseable {
  private final CudaStream stream;
  private final MatrixProducts products;
  private final Arena arena;
  private final MlaDecode decode;
  private final MlaPrefill prefill;
  private final Map<MlaShape, MlaMetadata> metadata = new HashMap<>();

  CudaAttention(CudaContext context, CudaStream stream, MatrixProducts products, Arena arena) {
    this.stream = stream;
    this.products = products;
    this.arena = arena;
    this.decode = MlaDecode.on(context);
    this.prefill = MlaPrefill.on(context);
  }

  void absorb(
      CudaActivation queries,
      CudaWeight keyValue,
      int heads,
      int nope,
      RotaryEmbedding rotation,
      CudaPlan plan,
      CudaActivation out) {
    int rows = plan.decodeRows();
    int width = nope + LatentCache.ROPE;
    rotation.rotate(
        queries.heads(0, rows, heads, width, nope, LatentCache.ROPE),
        plan.positions(0, rows),
        out.heads(0, rows, heads, LatentCache.WIDTH, LatentCache.LATENT, LatentCache.ROPE),
        stream);
    products.multiplyHeads(
        queries.heads(0, rows, heads, width, 0, nope),
        keyValue.heads(heads, 0, nope),
        true,
        out.heads(0, rows, heads, LatentCache.WIDTH, 0, LatentCache.LATENT),
        stream);
  }

  void decode(
      CudaActivation absorbed,
      int heads,
      float scale,
      CudaPlan plan,
      DeviceTensor cache,
      CudaActivation out) {
    // Rows past the plan's lie in the same memory; their length is 0.
    int rows = plan.decodeSlots();
    MlaShape shape = MlaShape.of(rows, 1, heads, plan.tableWidth());
    MlaMetadata cut = metadata.computeIfAbsent(shape, decode::metadata);
    if (plan.claimScheduling()) {
      cut.update(plan.lengths(), stream);
    }
    long bytes = (long) rows * heads * Float.BYTES;
    try (Arena.Block block = arena.take(bytes)) {
      decode.withKvCache(
          whole(absorbed, rows, heads, LatentCache.WIDTH),
          cache,
          plan.tables(),
          plan.lengths(),
          LatentCache.LATENT,
          cut,
          scale,
          false,
          whole(out, rows, heads, LatentCache.LATENT),
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
      int heads,
      int nope,
      CudaPlan plan,
      CudaActivation out) {
    int rows = plan.decodeRows();
    int value = keyValue.rows() / heads - nope;
    products.multiplyHeads(
        latents.heads(0, rows, heads, LatentCache.LATENT, 0, LatentCache.LATENT),
        keyValue.heads(heads, nope, value),
        false,
        out.heads(0, rows, heads, value, 0, value),
        stream);
  }

  void prefill(
      CudaActivation queries,
      CudaWeight keyValue,
      int heads,
      int nope,
      float scale,
      RotaryEmbedding rotation,
      CudaPlan plan,
      DeviceTensor cache,
      CudaActivation out) {
    int first = plan.decodeRows();
    int rows = plan.rows() - first;
    int width = nope + LatentCache.ROPE;
    DeviceTensor turned = queries.heads(first, rows, heads, width, nope, LatentCache.ROPE);
    rotation.rotate(turned, plan.positions(first, rows), turned, stream);
    Arena.Block sums = null;
    for (PrefillRun run : plan.runs()) {
      if (!run.merge()) {
        if (sums != null) {
          sums.close();
        }
        sums = arena.take((long) heads * run.rows() * Float.BYTES);
      }
      attend(queries, keyValue, heads, nope, scale, plan, run, cache, sums, out);
    }
    if (sums != null) {
      sums.close();
    }
  }

  /** Expands a run's keys and values and attends to them. */
  private void attend(
      CudaActivation queries,
      CudaWeight keyValue,
      int heads,
      int nope,
      float scale,
      CudaPlan plan,
      PrefillRun run,
      DeviceTensor cache,
      Arena.Block sums,
      CudaActivation out) {
    int each = keyValue.rows() / heads;
    int row = plan.decodeRows() + run.firstRow();
    try (CudaActivation latents =
            new CudaActivation(arena, run.keys(), LatentCache.LATENT, Precision.BFLOAT16);
        CudaActivation rope =
            new CudaActivation(arena, run.keys(), LatentCache.ROPE, Precision.BFLOAT16);
        CudaActivation expanded =
            new CudaActivation(arena, run.keys(), keyValue.rows(), Precision.BFLOAT16)) {
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
          queries.heads(
              row, run.rows(), heads, nope + LatentCache.ROPE, 0, nope + LatentCache.ROPE),
          expanded.heads(0, run.keys(), heads, each, 0, each),
          rope.tensor(),
          plan.queryStarts(run),
          plan.keyStarts(run),
          plan.queryOffsets(run),
          nope,
          scale,
          run.merge(),
          out.heads(row, run.rows(), heads, each - nope, 0, each - nope),
          DeviceTensor.of(sums.buffer(), sums.offset(), ElementType.FLOAT32, heads, run.rows()),
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
