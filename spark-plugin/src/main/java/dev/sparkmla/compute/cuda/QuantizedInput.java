package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.Float8Rows;
import java.util.Optional;

/**
 * A GEMM's input: as it is held, or in 8 bits, quantized when that is first asked for. That lives
 * in the arena, so it is closed before what was taken there earlier.
 */
final class QuantizedInput implements AutoCloseable {
  private final CudaDevice device;
  private final CudaActivation input;
  private final CudaStream stream;
  private Optional<Arena.Block> block = Optional.empty();

  /**
   * Takes nothing yet.
   *
   * @param input {@code [rows, columns]}, bf16 or in 8 bits
   * @param stream which it is quantized and read on
   */
  QuantizedInput(CudaDevice device, CudaActivation input, CudaStream stream) {
    this.device = device;
    this.input = input;
    this.stream = stream;
  }

  CudaStream stream() {
    return stream;
  }

  /** The rows as they are, bf16. */
  DeviceTensor floats() {
    return input.tensor();
  }

  /** Takes the memory of so many rows, or of the next bucket's, as for an activation. */
  static Arena.Block take(Arena arena, long rows, long columns) {
    return arena.take(Float8Rows.bytes(Buckets.above(Math.toIntExact(rows)), columns));
  }

  /** The rows and their scales, with the undefined rows of {@link CudaActivation#padded}. */
  Float8Rows rows() {
    return input.float8().orElseGet(this::quantized);
  }

  private Float8Rows quantized() {
    DeviceTensor floats = input.padded();
    long rows = floats.dimension(0);
    long columns = floats.dimension(1);
    boolean first = block.isEmpty();
    if (first) {
      block = Optional.of(take(device.arena, rows, columns));
    }
    Arena.Block memory = block.get();
    Float8Rows quantized = Float8Rows.in(memory.buffer(), memory.offset(), rows, columns);
    if (first) {
      device.float8.quantize(floats, quantized, stream);
    }
    return quantized;
  }

  @Override
  public void close() {
    block.ifPresent(Arena.Block::close);
  }
}
