package dev.sparkmla.cuda;

/**
 * The sizes of a layer's routed experts.
 *
 * @param experts number of experts of the layer, 1 to {@value #MOST_EXPERTS}
 * @param perToken experts chosen for a token, 1 to {@value #MOST_PER_TOKEN}
 * @param hidden elements of a token, a multiple of 8; fastest where it is a multiple of 128
 * @param width elements of an expert's activation ({@code moe_intermediate_size}), a multiple of 8;
 *     fastest where it is a multiple of 64
 */
public record ExpertsShape(int experts, int perToken, int hidden, int width) {
  static final int MOST_EXPERTS = 512;
  static final int MOST_PER_TOKEN = 32;
  private static final int LARGEST_SIZE = 1 << 16;
  private static final int MOST_ROWS = 1 << 20;
  private static final int MOST_CHOICES = 1 << 24;

  /**
   * @throws CudaArgumentException naming the value that is out of range
   */
  public ExpertsShape {
    CudaArgumentException.require(
        experts >= 1 && experts <= MOST_EXPERTS,
        "experts must be 1 to %d, are %d",
        MOST_EXPERTS,
        experts);
    CudaArgumentException.require(
        perToken >= 1 && perToken <= MOST_PER_TOKEN,
        "experts per token must be 1 to %d, are %d",
        MOST_PER_TOKEN,
        perToken);
    requireSize("hidden", hidden);
    requireSize("width", width);
  }

  private static void requireSize(String name, int size) {
    CudaArgumentException.require(
        size >= 8 && size <= LARGEST_SIZE && size % 8 == 0,
        "%s must be a multiple of 8 up to %d, is %d",
        name,
        LARGEST_SIZE,
        size);
  }

  /**
   * Checks a number of tokens against this shape.
   *
   * @throws CudaArgumentException where there are none or too many
   */
  void checkRows(long rows) {
    CudaArgumentException.require(
        rows >= 1 && rows <= MOST_ROWS && rows * perToken <= MOST_CHOICES,
        "rows must be 1 to %d, are %d",
        Math.min(MOST_ROWS, MOST_CHOICES / perToken),
        rows);
  }
}
