package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Widening at any place and of any length, bit for bit. */
class BFloat16Test {
  private static final int ELEMENTS = 5000;
  private static final int UNTOUCHED = 0x12345678;

  @ParameterizedTest
  @CsvSource({"0, 0, 0", "0, 0, 1", "0, 0, 64", "3, 0, 7", "1, 2, 4099", "2, 5, 1022"})
  void widensEveryElementAndNothingElse(int from, int to, int count) {
    HostBuffer narrow = HostBuffer.take(ELEMENTS * Short.BYTES);
    HostBuffer wide = HostBuffer.take(ELEMENTS * Float.BYTES);
    Random random = new Random(count);
    for (int i = 0; i < ELEMENTS; i++) {
      narrow.shorts().put(i, (short) random.nextInt());
      wide.view().putInt(i * Float.BYTES, UNTOUCHED);
    }
    BFloat16.widen(narrow.view(), from, wide.view(), to, count);
    for (int i = 0; i < ELEMENTS; i++) {
      boolean inside = i >= to && i < to + count;
      assertThat(wide.view().getInt(i * Float.BYTES))
          .as("element %d", i)
          .isEqualTo(inside ? narrow.shorts().get(from + i - to) << 16 : UNTOUCHED);
    }
    narrow.free();
    wide.free();
  }
}
