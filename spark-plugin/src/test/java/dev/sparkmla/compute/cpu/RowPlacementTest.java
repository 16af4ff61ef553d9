package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

/** Where a step's rows lie. */
class RowPlacementTest {
  private static final int[] BLOCKS = new int[1000];

  private static Segment decode(Random random) {
    int[] ids = random.ints(1 + random.nextInt(3), 0, 1000).toArray();
    return Segments.decode(ids, random.nextInt(5000), BLOCKS);
  }

  private static Segment prompt(Random random) {
    return Segments.prompt(new int[1 + random.nextInt(40)], random.nextInt(5000), BLOCKS);
  }

  private static List<Segment> segments(Random random) {
    List<Segment> segments = new ArrayList<>();
    IntStream.range(0, random.nextInt(30)).forEach(i -> segments.add(decode(random)));
    IntStream.range(0, 1 + random.nextInt(5)).forEach(i -> segments.add(prompt(random)));
    return segments;
  }

  @Test
  void denseRowsLeaveNoPlaceEmpty() {
    List<Segment> segments = segments(new Random(1));
    CpuPlan plan = new CpuPlan(segments, CpuPlan.Sampled.NOTHING, RowPlacement.DENSE);
    assertThat(plan.rows()).isEqualTo(segments.stream().mapToInt(Segment::count).sum());
    assertThat(plan.sampledRows()).isEqualTo(segments.size());
    assertThat(IntStream.range(0, plan.rows()).mapToObj(plan::row)).allMatch(Optional::isPresent);
  }

  @RepeatedTest(20)
  void aRowLiesInTheSameHalfWhateverElseIsInTheStep(RepetitionInfo repetition) {
    long seed = repetition.getCurrentRepetition();
    Random random = new Random(seed);
    List<Segment> segments = segments(random);
    CpuPlan together = new CpuPlan(segments, CpuPlan.Sampled.NOTHING, RowPlacement.IN_HALVES);
    int sample = 0;
    int rows = 0;
    for (int i = 0; i < segments.size(); i++) {
      Segment segment = segments.get(i);
      CpuPlan alone =
          new CpuPlan(List.of(segment), CpuPlan.Sampled.NOTHING, RowPlacement.IN_HALVES);
      for (int index = 0; index < segment.count(); index++) {
        int position = segment.position() + index;
        assertThat(RowPlacement.half(placeOf(together, segment, position)))
            .as("seed %d, segment %d, token %d", seed, i, index)
            .isEqualTo(RowPlacement.half(placeOf(alone, segment, position)));
        rows++;
      }
      int sampled = together.sampledRow(sample++);
      assertThat(together.source(sampled)).isEqualTo(placeOf(together, segment, segment.end() - 1));
      assertThat(RowPlacement.half(sampled))
          .isEqualTo(RowPlacement.half(together.source(sampled)))
          .isEqualTo(RowPlacement.half(alone.sampledRow(0)));
    }
    assertThat(IntStream.range(0, together.rows()).filter(row -> together.row(row).isPresent()))
        .hasSize(rows);
  }

  private static int placeOf(CpuPlan plan, Segment segment, int position) {
    return IntStream.range(0, plan.rows())
        .filter(
            row ->
                plan.row(row)
                    .filter(token -> token.segment() == segment && token.position() == position)
                    .isPresent())
        .findFirst()
        .orElseThrow();
  }
}
