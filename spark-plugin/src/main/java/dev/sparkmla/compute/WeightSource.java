package dev.sparkmla.compute;

import java.nio.ByteBuffer;

/** Where parameters come from: a run of elements, row-major without gaps. */
public sealed interface WeightSource {
  /** For messages. */
  String name();

  /** Type of the elements. */
  DataType type();

  /** Number of elements. */
  long elements();

  /**
   * Elements of a checkpoint.
   *
   * @param name the tensor's name
   * @param type type of the elements
   * @param data little-endian, from its position to its limit; read before the upload returns
   */
  record Stored(String name, DataType type, ByteBuffer data) implements WeightSource {
    @Override
    public long elements() {
      return data.remaining() / type.bytes();
    }
  }

  /**
   * Elements drawn by a backend where they will lie, as bf16: element i is {@code mean + deviation
   * * sqrt(3) * (2u - 1)} in float32, then rounded, with u the upper 24 bits of the i-th number of
   * SplitMix64 (Steele, Lea and Flood 2014) from {@code seed}, times 2^-24. A deviation of 0 makes
   * them all equal.
   *
   * @param name what they stand for
   * @param elements how many
   * @param mean their mean
   * @param deviation their standard deviation
   * @param seed where the numbers start
   */
  record Drawn(String name, long elements, float mean, float deviation, long seed)
      implements WeightSource {
    @Override
    public DataType type() {
      return DataType.BF16;
    }
  }
}
