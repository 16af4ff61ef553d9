package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The words of a row as C reads struct spark_mla_processing, and its lists. */
class ProcessingLayoutTest {
  private static final int UNTOUCHED = 0x5A5A5A5A;
  private static final LogitsProcessing PROCESSING =
      new LogitsProcessing(
          Map.of(7, -1.5f),
          1.25f,
          0.5f,
          -0.75f,
          List.of(List.of(3), List.of(4, 5, 6)),
          2,
          Set.of(9));

  private final IntBuffer words = IntBuffer.allocate(64);

  private void write(int index) {
    Arrays.fill(words.array(), UNTOUCHED);
    Sampling sampling = Sampling.GREEDY.withProcessing(PROCESSING).withIndex(index);
    ProcessingLayout.write(words, 10, sampling, 100, 40, 30);
  }

  private int[] at(int from, int count) {
    return Arrays.copyOfRange(words.array(), from, from + count);
  }

  @Test
  void writesTheFieldsOfTheStruct() {
    write(1);

    assertThat(at(10, ProcessingLayout.WORDS))
        .containsExactly(
            100,
            1,
            40,
            Float.floatToRawIntBits(1.25f),
            Float.floatToRawIntBits(0.5f),
            Float.floatToRawIntBits(-0.75f),
            30,
            1,
            32,
            2,
            39,
            1,
            1,
            -1,
            -1,
            0,
            0,
            -1);
    assertThat(at(10 + ProcessingLayout.WORDS, 30 - 10 - ProcessingLayout.WORDS))
        .containsOnly(UNTOUCHED);
  }

  @Test
  void writesListsWithTheStartsOfWordsBeforeTheirIds() {
    write(0);

    assertThat(ProcessingLayout.listWords(PROCESSING)).isEqualTo(10);
    assertThat(at(30, 2)).containsExactly(7, Float.floatToRawIntBits(-1.5f));
    assertThat(at(32, 7)).containsExactly(0, 1, 4, 3, 4, 5, 6);
    assertThat(at(39, 1)).containsExactly(9);
    assertThat(at(40, 24)).containsOnly(UNTOUCHED);
  }

  @Test
  void suppressesEndTokensAmongTheFirstAlone() {
    write(1);
    assertThat(words.get(10 + 12)).isOne();
    write(2);
    assertThat(words.get(10 + 12)).isZero();
  }

  @Test
  void addsConstraintsWithPositionsOnEitherSide() {
    write(0);
    ProcessingLayout.writeConstraint(
        words, 10, 400, OptionalInt.of(8), ByteAutomaton.position(17, 3));
    assertThat(at(10 + 13, 5)).containsExactly(400, -1, 17, 3, 8);
    ProcessingLayout.writeConstraint(words, 10, 400, OptionalInt.of(8), Constraint.UNARMED);
    assertThat(words.get(10 + 15)).isEqualTo(-2);
    write(0);
    ProcessingLayout.writeConstraintAfter(words, 10, 400, OptionalInt.empty(), 5);
    assertThat(at(10 + 13, 5)).containsExactly(400, 5, 0, 0, -1);
  }

  @Test
  void noListsAreLongerThanTheMost() {
    List<List<Integer>> words =
        IntStream.range(0, LogitsProcessing.MOST_IDS).mapToObj(List::of).toList();
    assertThat(
            ProcessingLayout.listWords(new LogitsProcessing(Map.of(), 1, 0, 0, words, 0, Set.of())))
        .isEqualTo(ProcessingLayout.MOST_LIST_WORDS);
  }
}
