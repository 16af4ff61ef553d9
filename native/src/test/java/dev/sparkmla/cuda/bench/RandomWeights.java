package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Operations;
import dev.sparkmla.cuda.Float8Rows;
import dev.sparkmla.cuda.Float8Scaling;
import dev.sparkmla.cuda.Float8Weights;

/** Random FP8 weights: bf16 ones quantized, whose scales are all the same. */
final class RandomWeights implements AutoCloseable {
  private static final int SCALE_BYTE = 0x3B; // four of them are 0.0029

  private final DeviceBuffer values;
  private final DeviceBuffer scales;
  private final Float8Weights weights;

  /** One matrix {@code [n, k]}. */
  static RandomWeights matrix(MeasuredDevice device, long n, long k) {
    return new RandomWeights(
        device, new long[] {n, k}, Float8Weights.blocks(n), Float8Weights.scaleColumns(k));
  }

  /** Experts' matrices of {@code parts} times n rows, each part with blocks of its own. */
  static RandomWeights experts(MeasuredDevice device, long experts, int parts, long n, long k) {
    return new RandomWeights(
        device,
        new long[] {experts, parts * n, k},
        experts,
        parts * Float8Weights.blocks(n),
        Float8Weights.scaleColumns(k));
  }

  private RandomWeights(MeasuredDevice device, long[] shape, long... scaleShape) {
    long columns = shape[shape.length - 1];
    long rows = product(shape) / columns;
    values = device.allocate(rows * columns);
    scales = device.allocate(Float.BYTES * product(scaleShape));
    scales.fill(0, scales.bytes(), (byte) SCALE_BYTE, device.stream());
    quantize(device, rows, columns);
    weights =
        new Float8Weights(
            values.tensor(ElementType.FLOAT8_E4M3, shape),
            scales.tensor(ElementType.FLOAT32, scaleShape),
            Float8Scaling.BLOCK);
  }

  /** Fills the values with random ones of all sizes. */
  private void quantize(MeasuredDevice device, long rows, long columns) {
    try (DeviceBuffer floats = device.allocate(2 * rows * columns);
        DeviceBuffer unused = device.allocate(Float8Rows.bytes(rows, columns))) {
      device.fill(floats, rows);
      DeviceTensor in = floats.tensor(ElementType.BFLOAT16, rows, columns);
      Float8Operations.on(device.context())
          .quantize(
              in,
              new Float8Rows(
                  values.tensor(ElementType.FLOAT8_E4M3, rows, columns),
                  Float8Rows.in(unused, 0, rows, columns).scales()),
              device.stream());
      device.stream().synchronize();
    }
  }

  private static long product(long... sizes) {
    long product = 1;
    for (long size : sizes) {
      product *= size;
    }
    return product;
  }

  Float8Weights weights() {
    return weights;
  }

  @Override
  public void close() {
    scales.close();
    values.close();
  }
}
