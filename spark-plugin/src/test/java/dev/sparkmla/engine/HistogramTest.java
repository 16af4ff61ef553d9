package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class HistogramTest {
  @Test
  void hasTwoBucketsForEachDoubling() {
    assertThat(LongStream.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16).map(Histogram::bucket))
        .containsExactly(0L, 1L, 2L, 3L, 4L, 4L, 5L, 5L, 6L, 6L, 7L, 7L, 8L);
  }

  @Test
  void aValueIsInTheBucketThatBeginsAtItOrBefore() {
    long seed = 1;
    Random random = new Random(seed);
    for (int i = 0; i < 10_000; i++) {
      long value = random.nextLong() >>> 2 + random.nextInt(61);
      int bucket = Histogram.bucket(value);
      assertThat(value)
          .as("seed " + seed)
          .isGreaterThanOrEqualTo(Histogram.least(bucket))
          .isLessThan(Histogram.least(bucket + 1));
    }
  }

  @Test
  void sumsHaveTheValuesOfBoth() {
    Histogram one = histogram(1, 1, 5, 900);
    Histogram other = histogram(0, 5, 7);
    assertThat(one.plus(other)).isEqualTo(histogram(1, 1, 5, 900, 0, 5, 7));
    assertThat(other.plus(one)).isEqualTo(one.plus(other));
    assertThat(one.plus(Histogram.EMPTY)).isEqualTo(one);
    assertThat(one.plus(other).total()).isEqualTo(7);
  }

  @Test
  void quantilesAreBuckets() {
    assertThat(Histogram.EMPTY.quantile(0.5)).isZero();
    Histogram values = histogram(1, 2, 3, 9);
    assertThat(values.quantile(0)).isEqualTo(Histogram.bucket(1));
    assertThat(values.quantile(0.5)).isEqualTo(Histogram.bucket(2));
    assertThat(values.quantile(1)).isEqualTo(Histogram.bucket(9));
  }

  private static Histogram histogram(long... values) {
    long[] counts = new long[Histogram.bucket(Long.MAX_VALUE) + 1];
    for (long value : values) {
      counts[Histogram.bucket(value)]++;
    }
    return Histogram.of(counts);
  }
}
