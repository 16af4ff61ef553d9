package dev.sparkmla.compute;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tensors of random bf16 numbers of any size. Their windows are parts of one block of numbers for
 * each mean and deviation, so that a whole model costs no memory and no time.
 */
public final class RandomTensors {
  private static final int BLOCK = 1 << 22;
  private static final int BYTES = DataType.BF16.bytes();

  private static final Map<Distribution, ByteBuffer> BLOCKS = new ConcurrentHashMap<>();

  private RandomTensors() {}

  /** A uniform distribution. */
  private record Distribution(float mean, float deviation) {
    ByteBuffer block() {
      ByteBuffer block = ByteBuffer.allocate(BLOCK * BYTES).order(ByteOrder.LITTLE_ENDIAN);
      SplittableRandom random = new SplittableRandom(1);
      double width = 2 * Math.sqrt(3) * deviation;
      for (int i = 0; i < BLOCK; i++) {
        float value = (float) (mean + width * (random.nextDouble() - 0.5));
        block.putShort(i * BYTES, (short) (Float.floatToRawIntBits(value) >> 16));
      }
      return block;
    }
  }

  /**
   * A tensor.
   *
   * @param seed the same seed makes the same numbers
   */
  public static Tensor tensor(
      String name, List<Integer> shape, float mean, float deviation, long seed) {
    ByteBuffer block =
        BLOCKS.computeIfAbsent(new Distribution(mean, deviation), Distribution::block);
    long elements = shape.stream().mapToLong(size -> size).reduce(1, Math::multiplyExact);
    List<ByteBuffer> windows = new ArrayList<>();
    int from = new SplittableRandom(seed).nextInt(BLOCK);
    for (long done = 0; done < elements; ) {
      int count = (int) Math.min(elements - done, BLOCK - from);
      windows.add(block.slice(from * BYTES, count * BYTES));
      done += count;
      from = 0;
    }
    return new Tensor(name, DataType.BF16, shape, windows);
  }

  /** A matrix of mean 0. */
  public static MatrixSource matrix(
      String name, int rows, int columns, float deviation, long seed) {
    return new MatrixSource(tensor(name, List.of(rows, columns), 0, deviation, seed));
  }

  /** A vector. */
  public static Tensor vector(String name, int size, float mean, float deviation, long seed) {
    return tensor(name, List.of(size), mean, deviation, seed);
  }

  /** The same, in a backend's memory. */
  public static Weight uploadMatrix(
      ComputeBackend backend, int rows, int columns, float deviation, long seed) {
    return backend.uploadMatrix(List.of(matrix("random " + seed, rows, columns, deviation, seed)));
  }

  /** The same, in a backend's memory. */
  public static WeightVector uploadVector(
      ComputeBackend backend, int size, float mean, float deviation, long seed) {
    return backend.uploadVector(List.of(vector("random " + seed, size, mean, deviation, seed)));
  }
}
