package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.SortedRows;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The experts chosen for every row and their weights, one behind the other in the arena, with what
 * they are chosen by and the rows sorted by expert. All of it is computed beside what is enqueued
 * after it; its memory is held until this is closed.
 */
final class CudaRouting implements Routing {
  private final Resources owned = new Resources();
  private final ExpertWeights experts;
  private final CudaActivation logits;
  private final Arena.Block choices;
  private final Arena.Block workspace;
  private final long workspaceBytes;
  private final int rows;
  private final int perToken;
  private Optional<SideStream> running = Optional.empty();
  private Optional<SortedRows> sorted = Optional.empty();

  /**
   * Takes the memory.
   *
   * @param experts that are chosen from
   * @param workspaceBytes what the experts need besides
   */
  CudaRouting(Arena arena, int rows, ExpertWeights experts, int perToken, long workspaceBytes) {
    this.experts = experts;
    this.rows = rows;
    this.perToken = perToken;
    this.workspaceBytes = workspaceBytes;
    try {
      this.logits =
          owned.own(new CudaActivation(arena, rows, experts.experts(), Set.of(Precision.FLOAT32)));
      this.choices = owned.own(arena.take(2 * bytes()));
      this.workspace = owned.own(arena.take(workspaceBytes));
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  static CudaRouting of(Routing routing) {
    return (CudaRouting) routing;
  }

  /** Enqueues the choice and the sort on a side stream. */
  void compute(SideStream stream, Function<CudaStream, SortedRows> work) {
    running = Optional.of(stream);
    stream.fork(side -> sorted = Optional.of(work.apply(side)));
  }

  /** Takes over what the choice reads; returns it. */
  QuantizedInput own(QuantizedInput read) {
    return owned.own(read);
  }

  /** Makes the main stream wait for the sorted rows; returns them. */
  SortedRows await() {
    join();
    return sorted.orElseThrow();
  }

  private void join() {
    running.ifPresent(SideStream::join);
    running = Optional.empty();
  }

  /** Bytes of the ids, and of the weights. */
  private long bytes() {
    return (long) rows * perToken * Integer.BYTES;
  }

  CudaExperts experts() {
    return CudaExperts.of(experts);
  }

  int perToken() {
    return perToken;
  }

  /** float32 {@code [rows, experts]}. */
  CudaActivation logits() {
    return logits;
  }

  /** int32 {@code [rows, perToken]}. */
  DeviceTensor ids() {
    return DeviceTensor.of(choices.buffer(), choices.offset(), ElementType.INT32, rows, perToken);
  }

  /** float32 {@code [rows, perToken]}. */
  DeviceTensor weights() {
    return DeviceTensor.of(
        choices.buffer(), choices.offset() + bytes(), ElementType.FLOAT32, rows, perToken);
  }

  /** What the experts need besides; this owns it. */
  DeviceBuffer workspace(CudaContext context) {
    return owned.own(
        DeviceBuffer.borrow(
            context, workspace.buffer().address() + workspace.offset(), workspaceBytes));
  }

  @Override
  public void close() {
    try {
      join();
    } finally {
      owned.close();
    }
  }
}
