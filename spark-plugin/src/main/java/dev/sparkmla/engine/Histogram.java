package dev.sparkmla.engine;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How often values of which size were met, in buckets that grow with the values: 0, 1, 2, 3, then
 * two for each doubling (4 and 5, 6 and 7, 8 to 11, 12 to 15, ...). Immutable.
 *
 * @param counts how many values are in each bucket, as far as the last that has one
 */
public record Histogram(List<Long> counts) implements Serializable {
  /** Without a value. */
  public static final Histogram EMPTY = new Histogram(List.of());

  /** Copies the list. */
  public Histogram {
    counts = List.copyOf(counts);
  }

  /** Of counts that go on changing. */
  static Histogram of(long[] counts) {
    int length = counts.length;
    while (length > 0 && counts[length - 1] == 0) {
      length--;
    }
    return new Histogram(Arrays.stream(counts, 0, length).boxed().toList());
  }

  /**
   * The bucket of a value.
   *
   * @param value ≥ 0
   */
  static int bucket(long value) {
    if (value < 2) {
      return (int) value;
    }
    int doublings = Long.SIZE - 1 - Long.numberOfLeadingZeros(value);
    return 2 * doublings + (int) (value >>> (doublings - 1) & 1);
  }

  /** The smallest value of a bucket; that of the next one ends it. */
  public static long least(int bucket) {
    return bucket < 2 ? bucket : (2L + bucket % 2) << (bucket / 2 - 1);
  }

  /** How many values there are. */
  public long total() {
    return counts.stream().mapToLong(Long::longValue).sum();
  }

  /**
   * The bucket in which a part of all values is reached.
   *
   * @param part from 0 to 1, such as 0.5 for the median
   * @return 0 where there are no values
   */
  public int quantile(double part) {
    long reached = 0;
    long wanted = (long) Math.ceil(part * total());
    for (int bucket = 0; bucket < counts.size(); bucket++) {
      reached += counts.get(bucket);
      if (reached >= wanted && reached > 0) {
        return bucket;
      }
    }
    return 0;
  }

  /** The values of both. */
  public Histogram plus(Histogram other) {
    List<Long> longer = counts.size() >= other.counts.size() ? counts : other.counts;
    List<Long> shorter = longer == counts ? other.counts : counts;
    List<Long> sums = new ArrayList<>(longer);
    for (int bucket = 0; bucket < shorter.size(); bucket++) {
      sums.set(bucket, sums.get(bucket) + shorter.get(bucket));
    }
    return new Histogram(sums);
  }
}
