package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The experts chosen for every row and their weights, one behind the other in the arena, with what
 * they are chosen by. They are computed beside what is enqueued after them; all memory of that is
 * held until this is closed.
 */
final class CudaRouting implements Routing {
  private final CudaActivation logits;
  private final Arena.Block block;
  private final int rows;
  private final int perToken;
  private final CudaPlan plan;
  private Optional<QuantizedInput> input = Optional.empty();
  private Optional<SideStream> running = Optional.empty();

  /**
   * Takes the memory.
   *
   * @param plan of the step, whose padded rows no expert computes
   */
  CudaRouting(Arena arena, int rows, int experts, int perToken, CudaPlan plan) {
    this.rows = rows;
    this.perToken = perToken;
    this.plan = plan;
    this.logits = new CudaActivation(arena, rows, experts, Set.of(Precision.FLOAT32));
    try {
      this.block = arena.take(2 * bytes());
    } catch (RuntimeException | Error e) {
      logits.close();
      throw e;
    }
  }

  static CudaRouting of(Routing routing) {
    return (CudaRouting) routing;
  }

  /** Enqueues the choice on a side stream. */
  void compute(SideStream stream, Consumer<CudaStream> work) {
    running = Optional.of(stream);
    stream.fork(work);
  }

  /** Takes over what the choice reads; returns it. */
  QuantizedInput own(QuantizedInput read) {
    input = Optional.of(read);
    return read;
  }

  /** Makes the main stream wait for the choice. */
  void await() {
    running.ifPresent(SideStream::join);
    running = Optional.empty();
  }

  /** Bytes of the ids, and of the weights. */
  private long bytes() {
    return (long) rows * perToken * Integer.BYTES;
  }

  CudaPlan plan() {
    return plan;
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
    return DeviceTensor.of(block.buffer(), block.offset(), ElementType.INT32, rows, perToken);
  }

  /** float32 {@code [rows, perToken]}. */
  DeviceTensor weights() {
    return DeviceTensor.of(
        block.buffer(), block.offset() + bytes(), ElementType.FLOAT32, rows, perToken);
  }

  @Override
  public void close() {
    try {
      await();
    } finally {
      input.ifPresent(QuantizedInput::close);
      block.close();
      logits.close();
    }
  }
}
