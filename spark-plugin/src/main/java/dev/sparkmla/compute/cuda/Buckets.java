package dev.sparkmla.compute.cuda;

/**
 * The sizes that counts are rounded up to, so that what is made for a size is made for few: 1, 2,
 * 4, then multiples of 8 up to 64, of 16 up to 256, of 64.
 */
final class Buckets {
  private Buckets() {}

  /** The smallest size that is not less than {@code count}, which is ≥ 1. */
  static int above(int count) {
    if (count <= 2) {
      return count;
    }
    if (count <= 4) {
      return 4;
    }
    int step = count <= 64 ? 8 : count <= 256 ? 16 : 64;
    return (count + step - 1) / step * step;
  }

  /** The smallest power of two that is not less than {@code count} nor 16. */
  static int width(int count) {
    int width = 16;
    while (width < count) {
      width *= 2;
    }
    return width;
  }
}
