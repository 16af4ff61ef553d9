package dev.sparkmla.jobs.output;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.jobs.input.RowRange;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SliceTest {
  private static Slice slice(long first, long end, int run) {
    return new Slice(new RowRange(first, end), run, 1, ".json");
  }

  private static long rows(List<Slice> slices) {
    return slices.stream().mapToLong(slice -> slice.rows().rows()).sum();
  }

  @Test
  void isNamedByItsRowsAndReadFromItsName() {
    Slice slice = new Slice(new RowRange(20, 4_000), 3, 17, ".zstd.parquet");

    assertThat(slice.name()).isEqualTo("part-000000000020-000000004000-run3-17.zstd.parquet");
    assertThat(Slice.ofName(slice.name())).contains(slice);
    assertThat(Slice.ofName("part-00000-2b1c-c000.snappy.parquet")).isEmpty();
    assertThat(Slice.ofName("part-000000000020-000000000020-run1-1.json")).isEmpty();
    assertThat(Slice.ofName("." + slice.name() + ".crc")).isEmpty();
  }

  @Test
  void twoAttemptsThatCommittedLeaveTheOneThatHasMore() {
    List<Slice> one = List.of(slice(0, 100, 1), slice(100, 180, 1));
    List<Slice> other = List.of(slice(0, 90, 2), slice(90, 300, 2));
    List<Slice> both = new ArrayList<>(one);
    both.addAll(other);

    assertThat(Slice.distinct(both)).isEqualTo(other);
  }

  /** Whatever else is there, certain ones stay, and no other has a row of theirs. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void keepsSlicesThatAreCertain(long seed) {
    Random random = new Random(seed);
    List<Slice> certain = new ArrayList<>();
    List<Slice> others = new ArrayList<>();
    for (long first = 0; first < 200; first += 10) {
      if (random.nextBoolean()) {
        certain.add(slice(first, first + 1 + random.nextInt(10), 1));
      }
      long other = random.nextInt(200);
      others.add(slice(other, other + 1 + random.nextInt(30), 2));
    }
    List<Slice> apart =
        others.stream()
            .filter(
                slice ->
                    certain.stream()
                        .noneMatch(one -> one.rows().intersect(slice.rows()).isPresent()))
            .toList();

    List<Slice> kept = Slice.distinct(certain, others);

    assertThat(kept).containsAll(certain).containsAll(Slice.distinct(apart));
    assertThat(kept).hasSize(certain.size() + Slice.distinct(apart).size());
    for (int i = 1; i < kept.size(); i++) {
      assertThat(kept.get(i).rows().first()).isGreaterThanOrEqualTo(kept.get(i - 1).rows().end());
    }
  }

  /**
   * No two chosen ones share a row, no set without shared rows has more, and the rest is missing.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void choosesSlicesThatShareNoRow(long seed) {
    Random random = new Random(seed);
    List<Slice> slices = new ArrayList<>();
    long most = 0;
    for (int run = 1; run <= 5; run++) {
      List<Slice> attempt = new ArrayList<>();
      long end = random.nextInt(20);
      while (end < 200) {
        long first = end + (random.nextInt(4) == 0 ? random.nextInt(30) : 0);
        end = first + 1 + random.nextInt(40);
        attempt.add(slice(first, end, run));
      }
      most = Math.max(most, rows(attempt));
      slices.addAll(attempt);
    }
    Collections.shuffle(slices, random);

    List<Slice> chosen = Slice.distinct(slices);

    assertThat(slices).containsAll(chosen);
    assertThat(rows(chosen)).isGreaterThanOrEqualTo(most);
    RowRange whole = new RowRange(5, 190);
    int[] times = new int[300];
    chosen.forEach(slice -> count(times, slice.rows()));
    for (RowRange missing : Slice.missing(chosen, whole)) {
      assertThat(missing.intersect(whole)).contains(missing);
      count(times, missing);
    }
    for (int row = 5; row < 190; row++) {
      assertThat(times[row]).as("row %d, seed %d", row, seed).isEqualTo(1);
    }
  }

  private static void count(int[] times, RowRange range) {
    for (long row = range.first(); row < range.end(); row++) {
      times[(int) row]++;
    }
  }
}
