package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ExpertsShape;
import dev.sparkmla.cuda.Float8Scaling;
import dev.sparkmla.cuda.Float8Weights;
import java.util.Optional;

/** The stacked matrices of a layer's experts, all of one format. */
final class CudaExperts implements ExpertWeights {
  private final WeightMemory gateUp;
  private final WeightMemory down;
  private final int experts;
  private final int hidden;
  private final int width;

  /** Owns both memories. */
  CudaExperts(WeightMemory gateUp, WeightMemory down, int experts, int hidden, int width) {
    this.gateUp = gateUp;
    this.down = down;
    this.experts = experts;
    this.hidden = hidden;
    this.width = width;
  }

  static CudaExperts of(ExpertWeights experts) {
    return (CudaExperts) experts;
  }

  WeightFormat format() {
    return gateUp.format();
  }

  /** {@code [experts, 2 * width, hidden]}, bf16. */
  DeviceTensor gateUp() {
    return gateUp.tensor(experts, 2L * width, hidden);
  }

  /** {@code [experts, hidden, width]}, bf16. */
  DeviceTensor down() {
    return down.tensor(experts, hidden, width);
  }

  /** {@link #gateUp} in 8 bits. */
  Float8Weights float8GateUp() {
    return gateUp.float8(experts, 2, width, hidden);
  }

  /** {@link #down} in 8 bits. */
  Float8Weights float8Down() {
    return down.float8(experts, 1, hidden, width);
  }

  @Override
  public int experts() {
    return experts;
  }

  int width() {
    return width;
  }

  /** How the matrices are scaled, where they are in 8 bits. */
  Optional<Float8Scaling> scaling() {
    return switch (format()) {
      case FLOAT32, BFLOAT16 -> Optional.empty();
      case FLOAT8_BLOCKS -> Optional.of(Float8Scaling.BLOCK);
      case FLOAT8_ROWS -> Optional.of(Float8Scaling.CHANNEL);
    };
  }

  /** Their sizes, where so many are chosen for a token. */
  ExpertsShape shape(int perToken) {
    return new ExpertsShape(experts, perToken, hidden, width);
  }

  @Override
  public void close() {
    try {
      gateUp.close();
    } finally {
      down.close();
    }
  }
}
