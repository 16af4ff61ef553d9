package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Scaling;
import dev.sparkmla.cuda.Float8Weights;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/**
 * The device's memory of matrices of one format and one width: their values one after the other,
 * and their scales likewise where the format has some. It owns the memory.
 */
final class WeightMemory implements AutoCloseable {
  private final Resources owned = new Resources();
  private final WeightFormat format;
  private final DeviceBuffer values;
  private final Optional<DeviceBuffer> scales;

  /**
   * Takes memory for matrices.
   *
   * @param format the format that they are held in
   * @param allocate from what for and how many bytes
   */
  WeightMemory(
      WeightFormat format,
      List<MatrixSource> matrices,
      BiFunction<String, Long, DeviceBuffer> allocate) {
    this.format = format;
    String name = matrices.get(0).values().toString();
    long elements = matrices.stream().mapToLong(matrix -> matrix.values().elements()).sum();
    long scaleElements = matrices.stream().mapToLong(this::scaleElements).sum();
    try {
      values = owned.own(allocate.apply(name, elements * type(format).bytes()));
      scales =
          scaleElements == 0
              ? Optional.empty()
              : Optional.of(
                  owned.own(
                      allocate.apply(
                          "scales of " + name, scaleElements * ElementType.FLOAT32.bytes())));
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /** Scales that a matrix has here. */
  long scaleElements(MatrixSource matrix) {
    return switch (format) {
      case FLOAT32, BFLOAT16 -> 0;
      case FLOAT8_BLOCKS ->
          Float8Weights.blocks(matrix.rows()) * Float8Weights.scaleColumns(matrix.columns());
      case FLOAT8_ROWS -> matrix.rows();
    };
  }

  /** The type of the elements of a format. */
  static ElementType type(WeightFormat format) {
    return switch (format) {
      case BFLOAT16 -> ElementType.BFLOAT16;
      case FLOAT32 -> ElementType.FLOAT32;
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> ElementType.FLOAT8_E4M3;
    };
  }

  /** What the activations are in that a weight of a format is multiplied by. */
  static Precision activations(WeightFormat format) {
    return switch (format) {
      case FLOAT32, BFLOAT16 -> Precision.BFLOAT16;
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> Precision.FLOAT8;
    };
  }

  WeightFormat format() {
    return format;
  }

  DeviceBuffer values() {
    return values;
  }

  /** The scales of a format that has some. */
  DeviceBuffer scales() {
    return scales.orElseThrow();
  }

  /** All values of a format without scales. */
  DeviceTensor tensor(long... shape) {
    return values.tensor(type(format), shape);
  }

  /** All of a matrix {@code [rows, columns]} of a format with scales. */
  Float8Weights float8(long rows, long columns) {
    return switch (format) {
      case FLOAT8_BLOCKS ->
          float8(
              new long[] {rows, columns},
              Float8Scaling.BLOCK,
              Float8Weights.blocks(rows),
              Float8Weights.scaleColumns(columns));
      case FLOAT8_ROWS -> float8(new long[] {rows, columns}, Float8Scaling.CHANNEL, rows);
      case FLOAT32, BFLOAT16 -> throw new IllegalStateException(format + " has no scales");
    };
  }

  /** All of experts' matrices, each of {@code parts} parts of so many rows, with scales. */
  Float8Weights float8(long experts, int parts, long rows, long columns) {
    long[] shape = {experts, parts * rows, columns};
    return switch (format) {
      case FLOAT8_BLOCKS ->
          float8(
              shape,
              Float8Scaling.BLOCK,
              experts,
              parts * Float8Weights.blocks(rows),
              Float8Weights.scaleColumns(columns));
      case FLOAT8_ROWS -> float8(shape, Float8Scaling.CHANNEL, experts, parts * rows);
      case FLOAT32, BFLOAT16 -> throw new IllegalStateException(format + " has no scales");
    };
  }

  private Float8Weights float8(long[] shape, Float8Scaling scaling, long... scaleShape) {
    return new Float8Weights(
        values.tensor(ElementType.FLOAT8_E4M3, shape),
        scales().tensor(ElementType.FLOAT32, scaleShape),
        scaling);
  }

  @Override
  public void close() {
    owned.close();
  }
}
