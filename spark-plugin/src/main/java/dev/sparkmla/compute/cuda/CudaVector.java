package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** A vector on the device, float32. */
final class CudaVector implements WeightVector {
  private final DeviceBuffer buffer;
  private final int size;

  CudaVector(DeviceBuffer buffer, int size) {
    this.buffer = buffer;
    this.size = size;
  }

  /** {@code [size]}. */
  static DeviceTensor of(WeightVector vector) {
    CudaVector own = (CudaVector) vector;
    return own.buffer.tensor(ElementType.FLOAT32, own.size);
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public void close() {
    buffer.close();
  }
}
