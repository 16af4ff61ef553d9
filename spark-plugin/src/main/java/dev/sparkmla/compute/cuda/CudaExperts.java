package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** The stacked matrices of a layer's experts, bf16. */
final class CudaExperts implements ExpertWeights {
  private final DeviceBuffer gateUp;
  private final DeviceBuffer down;
  private final int experts;
  private final int hidden;
  private final int width;

  CudaExperts(DeviceBuffer gateUp, DeviceBuffer down, int experts, int hidden, int width) {
    this.gateUp = gateUp;
    this.down = down;
    this.experts = experts;
    this.hidden = hidden;
    this.width = width;
  }

  DeviceTensor gateUp() {
    return gateUp.tensor(ElementType.BFLOAT16, experts, 2L * width, hidden);
  }

  DeviceTensor down() {
    return down.tensor(ElementType.BFLOAT16, experts, hidden, width);
  }

  @Override
  public int experts() {
    return experts;
  }

  int width() {
    return width;
  }

  @Override
  public void close() {
    gateUp.close();
    down.close();
  }
}
