package dev.sparkmla.compute;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tensors of random numbers of any size. Their windows are parts of one block of numbers for each
 * type, mean and deviation, so that a whole model costs no memory and no time.
 */
public final class RandomTensors {
  private static final int BLOCK = 1 << 22;

  /** Of the numbers of 8 bits, whose scales make it the deviation that was asked for. */
  private static final float FLOAT8_DEVIATION = 100;

  private static final Map<Distribution, ByteBuffer> BLOCKS = new ConcurrentHashMap<>();

  private RandomTensors() {}

  /** A uniform distribution. */
  private record Distribution(DataType type, float mean, float deviation) {
    ByteBuffer block() {
      ByteBuffer block = ByteBuffer.allocate(BLOCK * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      SplittableRandom random = new SplittableRandom(1);
      double width = 2 * Math.sqrt(3) * deviation;
      for (int i = 0; i < BLOCK; i++) {
        float value = (float) (mean + width * (random.nextDouble() - 0.5));
        switch (type) {
          case BF16 -> block.putShort((short) (Float.floatToRawIntBits(value) >> 16));
          case F32 -> block.putFloat(value);
          case F8_E4M3 -> block.put(Float8.round(value));
          case F16 -> throw new IllegalArgumentException("no float16 numbers are made");
        }
      }
      return block.flip().order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /**
   * A bf16 tensor.
   *
   * @param seed the same seed makes the same numbers
   */
  public static Tensor tensor(
      String name, List<Integer> shape, float mean, float deviation, long seed) {
    return tensor(name, DataType.BF16, shape, mean, deviation, seed);
  }

  private static Tensor tensor(
      String name, DataType type, List<Integer> shape, float mean, float deviation, long seed) {
    ByteBuffer block =
        BLOCKS.computeIfAbsent(new Distribution(type, mean, deviation), Distribution::block);
    long elements = shape.stream().mapToLong(size -> size).reduce(1, Math::multiplyExact);
    List<ByteBuffer> windows = new ArrayList<>();
    int from = new SplittableRandom(seed).nextInt(BLOCK);
    for (long done = 0; done < elements; ) {
      int count = (int) Math.min(elements - done, BLOCK - from);
      windows.add(block.slice(from * type.bytes(), count * type.bytes()));
      done += count;
      from = 0;
    }
    return new Tensor(name, type, shape, windows);
  }

  /** A bf16 matrix of mean 0. */
  public static MatrixSource matrix(
      String name, int rows, int columns, float deviation, long seed) {
    return matrix(name, rows, columns, WeightFormat.BFLOAT16, deviation, seed);
  }

  /** A matrix of mean 0 in a format; scales differ by up to half. */
  public static MatrixSource matrix(
      String name, int rows, int columns, WeightFormat format, float deviation, long seed) {
    List<Integer> shape = List.of(rows, columns);
    return switch (format) {
      case FLOAT32 -> MatrixSource.of(tensor(name, DataType.F32, shape, 0, deviation, seed));
      case BFLOAT16 -> MatrixSource.of(tensor(name, shape, 0, deviation, seed));
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
        float mean = deviation / FLOAT8_DEVIATION;
        Tensor scales =
            tensor(
                name + "_scale",
                DataType.F32,
                format.scaleShape(rows, columns),
                mean,
                mean / 4,
                seed);
        yield new MatrixSource(
            tensor(name, DataType.F8_E4M3, shape, 0, FLOAT8_DEVIATION, seed),
            format,
            Optional.of(scales));
      }
    };
  }

  /** A vector. */
  public static Tensor vector(String name, int size, float mean, float deviation, long seed) {
    return tensor(name, List.of(size), mean, deviation, seed);
  }

  /** The same, in a backend's memory. */
  public static Weight uploadMatrix(
      ComputeBackend backend, int rows, int columns, float deviation, long seed) {
    return backend.uploadMatrix(matrix("random " + seed, rows, columns, deviation, seed));
  }

  /** The same, in a backend's memory. */
  public static WeightVector uploadVector(
      ComputeBackend backend, int size, float mean, float deviation, long seed) {
    return backend.uploadVector(List.of(vector("random " + seed, size, mean, deviation, seed)));
  }
}
