package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrefillRunTest {
  /** Every segment's queries meet each of its keys once, in order, and no run is too large. */
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void everyKeyIsExpandedOnce(long seed) {
    Random random = new Random(seed);
    List<Segment> segments = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int tokens = 1 + random.nextInt(4000);
      int position = random.nextInt(4) == 0 ? random.nextInt(100_000) : random.nextInt(3000);
      segments.add(Segments.chunk(new int[tokens], position, new int[0]));
    }
    int[] seen = new int[segments.size()];
    for (PrefillRun run : PrefillRun.of(segments)) {
      assertThat(run.keys()).isBetween(1, PrefillRun.MOST_KEYS);
      assertThat(run.firstRow())
          .isEqualTo(
              segments.subList(0, run.firstSegment()).stream()
                  .mapToInt(segment -> segment.count())
                  .sum());
      int rows = 0;
      int keys = 0;
      for (int i = run.firstSegment(); i < run.firstSegment() + run.segments(); i++) {
        assertThat(seen[i]).isEqualTo(run.firstKey());
        assertThat(run.merge()).isEqualTo(seen[i] > 0);
        int here = run.segments() == 1 ? run.keys() : segments.get(i).end();
        seen[i] += here;
        keys += here;
        rows += segments.get(i).count();
      }
      assertThat(run.rows()).isEqualTo(rows);
      assertThat(run.keys()).isEqualTo(keys);
    }
    for (int i = 0; i < seen.length; i++) {
      assertThat(seen[i]).isEqualTo(segments.get(i).end());
    }
  }
}
