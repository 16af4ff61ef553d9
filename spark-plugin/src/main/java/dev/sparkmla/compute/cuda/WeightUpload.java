package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.Weight.RowRange;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Weights;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Copies a model's parameters to a device, each in the format that the operations over it take:
 * GEMMs of bf16 and of 8 bits, everything else of bf16, vectors of float32.
 */
final class WeightUpload {
  private final CudaDevice device;

  WeightUpload(CudaDevice device) {
    this.device = device;
  }

  /** Matrices for {@link CudaBackend#linear}, one below the other, each in its format. */
  Weight linear(List<MatrixSource> parts) {
    int rowCount = MatrixSource.stackedRows(parts);
    Resources loaded = new Resources();
    try {
      List<CudaRows> ranges = new ArrayList<>();
      int first = 0;
      for (List<MatrixSource> alike : ofOneGemm(parts)) {
        CudaRows range = loaded.own(rows(alike, multiplied(alike.get(0)), first));
        ranges.add(range);
        first += range.range().count();
      }
      return new CudaWeight(ranges, rowCount, parts.get(0).columns());
    } catch (RuntimeException | Error e) {
      loaded.closeAfter(e);
      throw e;
    }
  }

  /** A matrix for all operations, in bf16. */
  Weight matrix(MatrixSource source) {
    return new CudaWeight(
        List.of(rows(List.of(source), WeightFormat.BFLOAT16, 0)), source.rows(), source.columns());
  }

  /** Neighbours that are one matrix to a GEMM, together. */
  private static List<List<MatrixSource>> ofOneGemm(List<MatrixSource> parts) {
    List<List<MatrixSource>> runs = new ArrayList<>();
    for (MatrixSource part : parts) {
      List<MatrixSource> last = runs.isEmpty() ? List.of() : runs.get(runs.size() - 1);
      if (last.isEmpty() || !joins(last.get(last.size() - 1), part)) {
        last = new ArrayList<>();
        runs.add(last);
      }
      last.add(part);
    }
    return runs;
  }

  /** A block of scales holds rows of one matrix alone. */
  private static boolean joins(MatrixSource above, MatrixSource below) {
    WeightFormat format = multiplied(above);
    return format == multiplied(below)
        && (format != WeightFormat.FLOAT8_BLOCKS || above.rows() % WeightFormat.BLOCK == 0);
  }

  /** The format that a matrix is multiplied in. */
  private static WeightFormat multiplied(MatrixSource source) {
    return switch (source.format()) {
      case BFLOAT16, FLOAT32 -> WeightFormat.BFLOAT16;
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> source.format();
    };
  }

  /** Matrices in one format, one below the other, from the weight's row {@code first} on. */
  private CudaRows rows(List<MatrixSource> parts, WeightFormat format, int first) {
    int count = MatrixSource.stackedRows(parts);
    return new CudaRows(
        memory(parts, format), new RowRange(first, count, format), parts.get(0).columns());
  }

  private WeightMemory memory(List<MatrixSource> parts, WeightFormat format) {
    WeightMemory memory = new WeightMemory(format, parts, device::allocate);
    try {
      device.guarded("loading " + parts.get(0).values(), () -> load(parts, memory));
      return memory;
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  private void load(List<MatrixSource> parts, WeightMemory memory) {
    long values = 0;
    long scales = 0;
    for (MatrixSource part : parts) {
      requireSizes(part);
      switch (memory.format()) {
        case FLOAT32, BFLOAT16 -> loadUnscaled(part, memory, values);
        case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
          device.loader.load(part.values(), ElementType.FLOAT8_E4M3, memory.values(), values);
          device.loader.load(
              scales(part, memory.format()), ElementType.FLOAT32, memory.scales(), scales);
        }
      }
      values += part.values().elements() * WeightMemory.type(memory.format()).bytes();
      scales += memory.scaleElements(part) * ElementType.FLOAT32.bytes();
    }
  }

  /** A matrix's scales as they lie on the device. */
  private static Tensor scales(MatrixSource source, WeightFormat format) {
    Tensor scales = source.scales().orElseThrow();
    return switch (format) {
      case FLOAT8_BLOCKS ->
          paddedRows(scales, Math.toIntExact(Float8Weights.scaleColumns(source.columns())));
      case FLOAT8_ROWS -> scales;
      case FLOAT32, BFLOAT16 -> throw new IllegalStateException(format + " has no scales");
    };
  }

  /** A copy of a matrix whose rows are as long as {@code columns} says, filled up with zeros. */
  private static Tensor paddedRows(Tensor matrix, int columns) {
    int rows = matrix.shape().get(0);
    long rowBytes = matrix.bytes() / rows;
    ByteBuffer padded = ByteBuffer.allocate(rows * columns * matrix.type().bytes());
    for (int row = 0; row < rows; row++) {
      padded.position(row * columns * matrix.type().bytes());
      matrix.slices(row * rowBytes, rowBytes).forEach(padded::put);
    }
    return new Tensor(
        matrix.name(), matrix.type(), List.of(rows, columns), List.of(padded.rewind()));
  }

  private static void requireSizes(MatrixSource source) {
    boolean float8 =
        switch (source.format()) {
          case FLOAT32, BFLOAT16 -> false;
          case FLOAT8_BLOCKS, FLOAT8_ROWS -> true;
        };
    if (float8
        && (source.rows() % Float8Weights.ROW_MULTIPLE != 0
            || source.columns() % Float8Weights.COLUMN_MULTIPLE != 0)) {
      throw new ComputeException(
          "%s has a size that the GPU's kernels for 8 bits are not built for: rows have to be a"
                  .formatted(source.values())
              + " multiple of %d, columns of %d; use a checkpoint in bf16 or the CPU backend"
                  .formatted(Float8Weights.ROW_MULTIPLE, Float8Weights.COLUMN_MULTIPLE));
    }
  }

  /** Loads a matrix without its scales, which its elements are multiplied by. */
  private void loadUnscaled(MatrixSource source, WeightMemory to, long offset) {
    ElementType type = WeightMemory.type(to.format());
    switch (source.format()) {
      case FLOAT32, BFLOAT16 -> device.loader.load(source.values(), type, to.values(), offset);
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
        try (WeightMemory scaled = memory(List.of(source), source.format())) {
          Float8Weights weights = scaled.float8(source.rows(), source.columns());
          device.float8.dequantize(
              weights,
              DeviceTensor.of(to.values(), offset, type, source.rows(), source.columns()),
              device.stream);
          // The memory is given back, and the driver does not know what still reads it.
          device.stream.synchronize();
        }
      }
    }
  }

  /** Vectors one after the other. */
  WeightVector vector(List<Tensor> parts) {
    int size = Tensor.joinedSize(parts);
    DeviceBuffer buffer =
        device.allocate(parts.get(0).toString(), (long) size * ElementType.FLOAT32.bytes());
    try {
      device.guarded(
          "loading " + parts.get(0),
          () -> {
            long at = 0;
            for (Tensor part : parts) {
              device.loader.load(part, ElementType.FLOAT32, buffer, at);
              at += part.elements() * ElementType.FLOAT32.bytes();
            }
          });
      return new CudaVector(buffer, size);
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  /** A layer's experts, in 8 bits where all of them are in the same format of these. */
  ExpertWeights experts(List<GatedSource> sources) {
    List<MatrixSource> gateUps =
        sources.stream().flatMap(source -> Stream.of(source.gate(), source.up())).toList();
    List<MatrixSource> downs = sources.stream().map(GatedSource::down).toList();
    List<WeightFormat> formats =
        Stream.concat(gateUps.stream(), downs.stream())
            .map(WeightUpload::multiplied)
            .distinct()
            .toList();
    WeightFormat format = formats.size() == 1 ? formats.get(0) : WeightFormat.BFLOAT16;
    WeightMemory gateUp = memory(gateUps, format);
    try {
      return new CudaExperts(
          gateUp,
          memory(downs, format),
          sources.size(),
          sources.get(0).hidden(),
          sources.get(0).width());
    } catch (RuntimeException | Error e) {
      gateUp.close();
      throw e;
    }
  }
}
