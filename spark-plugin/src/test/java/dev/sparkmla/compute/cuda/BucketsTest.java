package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BucketsTest {
  @Test
  void roundsUpByLittleAndToItself() {
    for (int count = 1; count <= 3000; count++) {
      int bucket = Buckets.above(count);
      assertThat(bucket).isGreaterThanOrEqualTo(count);
      assertThat(bucket - count).isLessThan(Math.max(8, Math.min(64, count)));
      assertThat(Buckets.above(bucket)).isEqualTo(bucket);
      assertThat(Buckets.above(count + 1)).isGreaterThanOrEqualTo(bucket);
    }
  }

  @Test
  void widthsArePowersOfTwo() {
    assertThat(Buckets.width(1)).isEqualTo(16);
    assertThat(Buckets.width(17)).isEqualTo(32);
    assertThat(Buckets.width(64)).isEqualTo(64);
    assertThat(Buckets.width(2560)).isEqualTo(4096);
  }
}
