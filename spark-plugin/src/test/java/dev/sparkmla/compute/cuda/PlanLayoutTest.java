package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.cuda.CudaArgumentException;
import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.ProcessingLayout;
import dev.sparkmla.cuda.SplitPolicy;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlanLayoutTest {
  @ParameterizedTest(name = "{0} tokens, {1} sequences of {2}")
  @CsvSource({
    "1, 1, 1",
    "100, 100, 63",
    "300, 5, 200",
    "2048, 256, 4096",
    "8192, 70, 163840",
    "50000, 3, 40000"
  })
  void noStepWithinLimitsHasMoreWordsOrIsLarger(int tokens, int sequences, int positions) {
    StepLimits limits = new StepLimits(tokens, sequences, positions);
    PlanLayout.Shape largest = PlanLayout.largestShape(limits);
    int most = PlanLayout.mostWords(limits);
    for (long seed = 0; seed < 300; seed++) {
      check(new RandomSteps(seed, limits).next(), most, largest, "seed " + seed);
    }
    MeasuredSteps measured = new MeasuredSteps(limits);
    measured.largest().forEach(step -> check(step, most, largest, "measured"));
    measured.smaller().forEach(step -> check(step, most, largest, "measured"));
  }

  private static void check(
      List<Segment> step, int most, PlanLayout.Shape largest, String description) {
    PlanLayout layout = new PlanLayout(step);
    assertThat(layout.words()).as(description).isLessThanOrEqualTo(most);
    layout.write(IntBuffer.allocate(layout.words()));
    PlanLayout.Shape shape = layout.shape();
    assertThat(shape.rows()).as(description).isLessThanOrEqualTo(largest.rows());
    assertThat(shape.sampledRows()).as(description).isLessThanOrEqualTo(largest.sampledRows());
    assertThat(shape.tableWidth()).as(description).isLessThanOrEqualTo(largest.tableWidth());
  }

  /** Tokens of one segment attend to different prefixes of their sequence. */
  @Test
  void everyDecodingTokenIsARowOfItsOwn() {
    int[] blocks = {9, 4};
    PlanLayout layout =
        new PlanLayout(
            List.of(
                Segments.decode(new int[] {11, 12, 13}, 63, blocks),
                Segments.decode(new int[] {21}, 0, new int[] {2})));
    assertThat(layout.decodeRows()).isEqualTo(4);
    assertThat(layout.decodeSlots()).isEqualTo(4);
    IntBuffer words = IntBuffer.allocate(layout.words());
    layout.write(words);
    assertThat(words.get(0)).as("real rows").isEqualTo(4);
    assertThat(at(words, layout.tokensAt(), 4)).containsExactly(11, 12, 13, 21);
    assertThat(at(words, layout.positionsAt(), 4)).containsExactly(63, 64, 65, 0);
    assertThat(at(words, layout.slotsAt(), 4))
        .containsExactly(9 * 64 + 63, 4 * 64, 4 * 64 + 1, 2 * 64);
    assertThat(at(words, layout.lengthsAt(), 4)).containsExactly(64, 65, 66, 1);
    assertThat(at(words, layout.settledAt(), 4)).containsExactly(63, 63, 63, 0);
    for (int row = 0; row < 3; row++) {
      int table = layout.tablesAt() + row * layout.shape().tableWidth();
      assertThat(at(words, table, 2)).containsExactly(blocks);
    }
    assertThat(at(words, layout.sampledRowsAt(), 2)).containsExactly(2, 3);
  }

  /** A sampled row's tokens are found by its own block table, whichever kind it is. */
  @Test
  void saysOfProcessedRowsWhereTheirTokensAre() {
    Sampling processed =
        Sampling.GREEDY
            .withIndex(2)
            .withProcessing(new LogitsProcessing(Map.of(5, 1f), 2, 0, 0, List.of(), 0, Set.of()));
    PlanLayout layout =
        new PlanLayout(
            List.of(
                Segments.decode(new int[] {11, 12}, 63, new int[] {9, 4}),
                sampled(Segment.Role.DECODE, 70, new int[] {8, 7}, processed),
                Segments.prompt(new int[] {21}, 0, new int[] {2}),
                sampled(Segment.Role.PREFILL, 5, new int[] {3}, processed)));
    assertThat(layout.shape().processesLogits()).isTrue();
    IntBuffer words = IntBuffer.allocate(layout.words());
    layout.write(words);
    int at = layout.processingAt();
    assertThat(words.get(at)).as("history of a row that is left alone").isZero();
    assertThat(words.get(at + 2 * ProcessingLayout.WORDS)).isZero();
    int second = at + ProcessingLayout.WORDS;
    assertThat(at(words, second, 2)).containsExactly(71, 2);
    assertThat(at(words, words.get(second + 2), 2)).containsExactly(8, 7);
    int fourth = at + 3 * ProcessingLayout.WORDS;
    assertThat(at(words, fourth, 2)).containsExactly(6, 2);
    assertThat(at(words, words.get(fourth + 2), 1)).containsExactly(3);
    assertThat(at(words, words.get(fourth + 6), 2)).containsExactly(5, Float.floatToRawIntBits(1));
  }

  private static Segment sampled(Segment.Role role, int position, int[] blocks, Sampling sampling) {
    return new Segment(
        role,
        new Segment.Tokens.Known(new int[1]),
        position,
        blocks,
        List.of(new Segment.Sample(0, sampling)));
  }

  @Test
  void aStepWithoutProcessingHasNoWordsForIt() {
    List<Segment> step = List.of(Segments.decode(new int[] {1}, 0, new int[] {0}));
    assertThat(new PlanLayout(step).shape().processesLogits()).isFalse();
    assertThat(new PlanLayout(step).processingAt()).isEqualTo(new PlanLayout(step).lengthsAt());
  }

  @Test
  void aStepReportsLogProbabilitiesWhereOneOfItsRowsAsksForThem() {
    Segment silent = Segments.decode(new int[] {1}, 0, new int[] {0});
    Sampling asking = Sampling.GREEDY.withLogprobs(OptionalInt.of(0));
    Segment reporting = sampled(Segment.Role.DECODE, 0, new int[] {1}, asking);
    assertThat(new PlanLayout(List.of(silent)).shape().reportsLogprobs()).isFalse();
    PlanLayout layout = new PlanLayout(List.of(silent, reporting));
    assertThat(layout.shape().reportsLogprobs()).isTrue();
    assertThat(layout.sampling(1)).isEqualTo(asking);
  }

  private static int[] at(IntBuffer words, int first, int count) {
    return Arrays.copyOfRange(words.array(), first, first + count);
  }

  @Test
  void theMostSequencesAreThoseOfTheKernels() {
    int most = Buckets.above(StepLimits.MOST_SEQUENCES);
    assertThat(most).isEqualTo(StepLimits.MOST_SEQUENCES);
    assertThat(new MlaShape(most, 1, 16, 1, 512, 64, 1, SplitPolicy.BY_LENGTH).batch())
        .isEqualTo(most);
    int next = Buckets.above(most + 1);
    assertThatThrownBy(() -> new MlaShape(next, 1, 16, 1, 512, 64, 1, SplitPolicy.BY_LENGTH))
        .isInstanceOf(CudaArgumentException.class);
  }

  @Test
  void refusesAStepThatCannotBeDescribed() {
    Segment wide = Segments.decode(new int[1], (1 << 26) - 1, new int[1 << 20]);
    assertThatThrownBy(() -> new PlanLayout(Collections.nCopies(400, wide)))
        .isInstanceOf(ComputeException.class)
        .hasMessageContaining("448 block tables of 1048576 columns")
        .hasMessageContaining("fewer sequences");
    assertThatThrownBy(() -> PlanLayout.mostWords(new StepLimits(60_000, 60_000, 1 << 20)))
        .isInstanceOf(ComputeException.class);
  }
}
