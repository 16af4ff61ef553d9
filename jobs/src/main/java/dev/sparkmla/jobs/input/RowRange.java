package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.Optional;

/**
 * Rows of an input that follow one another, by their numbers.
 *
 * @param first number of the first row, from 0
 * @param end number after the last row's, above {@code first}
 */
public record RowRange(long first, long end) implements Serializable {
  /** Refuses a range without rows. */
  public RowRange {
    if (first < 0 || end <= first) {
      throw new IllegalArgumentException("there is no row in [" + first + ", " + end + ")");
    }
  }

  /** How many rows. */
  public long rows() {
    return end - first;
  }

  /** The rows that are in both. */
  public Optional<RowRange> intersect(RowRange other) {
    long from = Math.max(first, other.first);
    long to = Math.min(end, other.end);
    return from < to ? Optional.of(new RowRange(from, to)) : Optional.empty();
  }
}
