package dev.sparkmla.compute.cpu;

/**
 * Running softmax sums of rows (Milakov and Gimelshein 2018, arXiv:1805.02867): the largest scaled
 * score so far, and the sum of the exponentials of the others less it.
 */
final class Softmax {
  private final float[] largest;
  private final float[] sums;

  /** As many rows, nothing seen. */
  Softmax(int rows) {
    largest = new float[rows];
    sums = new float[rows];
    java.util.Arrays.fill(largest, Float.NEGATIVE_INFINITY);
  }

  /**
   * Sees {@code count ≥ 1} more scores and replaces them by their exponentials.
   *
   * @return what everything added up for the row before must be multiplied by
   */
  float see(int row, float[] scores, int from, int count, float scale, Exponential exponential) {
    Vectors.scale(scores, from, count, scale);
    float before = largest[row];
    float now = Math.max(before, Vectors.largest(scores, from, count));
    for (int i = from; i < from + count; i++) {
      scores[i] -= now;
    }
    exponential.apply(scores, from, count);
    float factor = now == before ? 1f : (float) Math.exp(before - now);
    largest[row] = now;
    sums[row] = sums[row] * factor + Vectors.sum(scores, from, count);
    return factor;
  }

  float largest(int row) {
    return largest[row];
  }

  float sum(int row) {
    return sums[row];
  }
}
