package dev.sparkmla.cuda;

import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The measure of agreement that FlashMLA's own tests use: per element |Δ| small or relative &lt;
 * 2.01/128 for the output (8.01/65536 for the log-sum-exp), over all elements 1 − 2Σab/Σ(a² + b²)
 * &lt; 5e-6, and infinities in the same places.
 */
final class Comparison {
  /** The largest |Δ| that FlashMLA's tests let pass on inputs of N(0, 1) / 10. */
  static final Tolerance FLASH_MLA = new Tolerance(8e-4, 1e-6);

  private static final int CHUNK = 1 << 16;

  /**
   * Differences that pass whatever they are relative to.
   *
   * @param output of an element of the output
   * @param logSumExp of a log-sum-exp
   */
  record Tolerance(double output, double logSumExp) {}

  private record Sums(long wrong, double largest, double dot, double squares) {
    static final Sums NONE = new Sums(0, 0, 0, 0);

    Sums plus(Sums other) {
      return new Sums(
          wrong + other.wrong,
          Math.max(largest, other.largest),
          dot + other.dot,
          squares + other.squares);
    }
  }

  private Comparison() {}

  /** Compares where {@code position % rowElements < usedElements}; the rest must still be NaN. */
  static List<String> ofOutput(
      ShortBuffer actual,
      FloatBuffer expected,
      long rowElements,
      long usedElements,
      Tolerance tolerance) {
    Sums sums =
        IntStream.range(0, (actual.capacity() + CHUNK - 1) / CHUNK)
            .parallel()
            .mapToObj(
                chunk -> outputChunk(actual, expected, rowElements, usedElements, tolerance, chunk))
            .reduce(Sums.NONE, Sums::plus);
    List<String> complaints = new ArrayList<>();
    if (sums.wrong > 0) {
      complaints.add(
          "%d of %d outputs differ, by up to %s"
              .formatted(sums.wrong, actual.capacity(), sums.largest));
    }
    double distance = sums.squares == 0 ? 0 : 1 - 2 * sums.dot / sums.squares;
    if (!(distance < 5e-6)) {
      complaints.add("outputs lie at a cosine distance of " + distance);
    }
    return complaints;
  }

  private static Sums outputChunk(
      ShortBuffer actual,
      FloatBuffer expected,
      long rowElements,
      long usedElements,
      Tolerance tolerance,
      int chunk) {
    long wrong = 0;
    double largest = 0;
    double dot = 0;
    double squares = 0;
    int end = Math.min(actual.capacity(), (chunk + 1) * CHUNK);
    for (int i = chunk * CHUNK; i < end; i++) {
      float a = RandomPool.fromBfloat16(actual.get(i));
      if (i % rowElements >= usedElements) {
        wrong += Float.isNaN(a) ? 0 : 1;
        continue;
      }
      float b = expected.get(i);
      double difference = Math.abs((double) a - b);
      if (!(difference < tolerance.output() || difference < 2.01 / 128 * Math.abs(b))) {
        wrong++;
        largest = Math.max(largest, difference);
      }
      dot += (double) a * b;
      squares += (double) a * a + (double) b * b;
    }
    return new Sums(wrong, largest, dot, squares);
  }

  static List<String> ofLogSumExp(FloatBuffer actual, FloatBuffer expected, Tolerance tolerance) {
    int wrong = 0;
    double largest = 0;
    for (int i = 0; i < actual.capacity(); i++) {
      float a = actual.get(i);
      float b = expected.get(i);
      double difference = Math.abs((double) a - b);
      boolean same =
          Float.isInfinite(b)
              ? a == b
              : difference < tolerance.logSumExp() || difference < 8.01 / 65536 * Math.abs(b);
      if (!same) {
        wrong++;
        largest = Math.max(largest, difference);
      }
    }
    return wrong == 0
        ? List.of()
        : List.of(
            "%d of %d log-sum-exps differ, by up to %s"
                .formatted(wrong, actual.capacity(), largest));
  }
}
