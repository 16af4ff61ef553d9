package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import java.util.Set;

/**
 * The arena's memory for the prefill attention of one layer: the log-sum-exp of the queries, and
 * latents, rope keys and expanded keys and values of one run. The runs of a step use it one after
 * the other, so that its size depends on the prefilling rows and on the largest run alone.
 */
final class PrefillBuffers implements AutoCloseable {
  private final Resources owned = new Resources();
  private final AttentionShape shape;
  private final Arena.Block logSumExp;
  private final CudaActivation latents;
  private final CudaActivation rope;
  private final CudaActivation expanded;

  /**
   * Takes the memory.
   *
   * @param rows query rows that prefill
   * @param keys the most keys of a run
   */
  PrefillBuffers(Arena arena, AttentionShape shape, int rows, int keys) {
    this.shape = shape;
    try {
      logSumExp = owned.own(arena.take((long) shape.heads() * rows * Float.BYTES));
      latents = owned.own(activation(arena, keys, shape.cache().latent()));
      rope = owned.own(activation(arena, keys, shape.cache().rope()));
      expanded = owned.own(activation(arena, keys, shape.keyValueRows()));
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  private static CudaActivation activation(Arena arena, int keys, int columns) {
    return new CudaActivation(arena, keys, columns, Set.of(Precision.BFLOAT16));
  }

  /** float32 {@code [heads, rows of the run]}. */
  DeviceTensor logSumExp(PrefillRun run) {
    return DeviceTensor.of(
        logSumExp.buffer(), logSumExp.offset(), ElementType.FLOAT32, shape.heads(), run.rows());
  }

  /** bf16 {@code [keys of the run, latent]}. */
  DeviceTensor latents(PrefillRun run) {
    return latents.tensor(0, run.keys());
  }

  /** bf16 {@code [keys of the run, rope]}. */
  DeviceTensor rope(PrefillRun run) {
    return rope.tensor(0, run.keys());
  }

  /** bf16 {@code [keys of the run, heads * (nope + value)]}: what the latents are expanded to. */
  DeviceTensor expanded(PrefillRun run) {
    return expanded.tensor(0, run.keys());
  }

  /** The same by head, bf16 {@code [keys of the run, heads, nope + value]}. */
  DeviceTensor expandedHeads(PrefillRun run) {
    int each = shape.keyValueHead();
    return expanded.heads(0, run.keys(), shape.heads(), each, 0, each);
  }

  @Override
  public void close() {
    owned.close();
  }
}
