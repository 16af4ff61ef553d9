package dev.sparkmla.model;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Tensor;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * Finds elements that are NaN or infinite: their exponent's bits are all set, and in 8 bits, where
 * there is no infinity, their fraction's too. A checkpoint of a training that diverged has them,
 * and every answer would be an error that names no cause. A tensor is searched just before a
 * backend reads it, so that its bytes come from the disk once.
 */
final class NonFinite {
  /** What one thread searches at a time: a multiple of every element's size. */
  private static final long CHUNK = 8L << 20;

  private NonFinite() {}

  /**
   * Refuses a tensor with such an element.
   *
   * @param file the tensor's
   * @throws ModelFormatException naming the first
   */
  static void refuse(Path file, Tensor tensor) {
    long chunks = (tensor.bytes() + CHUNK - 1) / CHUNK;
    OptionalLong found =
        LongStream.range(0, chunks)
            .parallel()
            .map(chunk -> firstIn(tensor, chunk * CHUNK))
            .filter(element -> element >= 0)
            .min();
    if (found.isPresent()) {
      throw new ModelFormatException(
          file,
          "tensor " + tensor.name() + " holds NaN or infinity at element " + found.getAsLong());
    }
  }

  /** The first such element of a chunk, by its number in the tensor, or -1. */
  private static long firstIn(Tensor tensor, long begin) {
    long at = begin;
    long size = Math.min(CHUNK, tensor.bytes() - begin);
    for (ByteBuffer slice : tensor.slices(begin, size)) {
      int found = firstByte(slice, tensor.type());
      if (found >= 0) {
        return (at + found) / tensor.type().bytes();
      }
      at += slice.limit();
    }
    return -1;
  }

  private static int firstByte(ByteBuffer bytes, DataType type) {
    long exponents = exponents(type);
    long lowest = lowest(type);
    long highest = lowest << (8 * type.bytes() - 1);
    long first = -1L >>> (64 - 8 * type.bytes());
    int at = 0;
    for (; at + Long.BYTES <= bytes.limit(); at += Long.BYTES) {
      // A lane whose exponent is all set becomes 0, and only that borrows into its highest bit.
      long unset = ~bytes.getLong(at) & exponents;
      if (((unset - lowest) & ~unset & highest) != 0) {
        break;
      }
    }
    for (; at < bytes.limit(); at += type.bytes()) {
      if ((~element(bytes, at, type) & exponents & first) == 0) {
        return at;
      }
    }
    return -1;
  }

  private static long element(ByteBuffer bytes, int at, DataType type) {
    return switch (type) {
      case F32 -> bytes.getInt(at);
      case F16, BF16 -> bytes.getShort(at);
      case F8_E4M3 -> bytes.get(at);
    };
  }

  /** The lowest bit of all elements in eight bytes. */
  private static long lowest(DataType type) {
    return switch (type) {
      case F32 -> 0x0000_0001_0000_0001L;
      case F16, BF16 -> 0x0001_0001_0001_0001L;
      case F8_E4M3 -> 0x0101_0101_0101_0101L;
    };
  }

  /** The bits of all elements in eight bytes that are set where one is not finite. */
  private static long exponents(DataType type) {
    return switch (type) {
      case F32 -> 0x7F80_0000_7F80_0000L;
      case F16 -> 0x7C00_7C00_7C00_7C00L;
      case BF16 -> 0x7F80_7F80_7F80_7F80L;
      case F8_E4M3 -> 0x7F7F_7F7F_7F7F_7F7FL;
    };
  }
}
