package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LogitsProcessorTest {
  private static final float NEVER = Float.NEGATIVE_INFINITY;

  /** Logits 2, -2, 4, -4, 1 after a history whose last {@code outputs} tokens are the output. */
  private static float[] process(LogitsProcessing how, int outputs, int... history) {
    float[] logits = {2, -2, 4, -4, 1};
    new LogitsProcessor(logits, Sampling.GREEDY.withProcessing(how).withIndex(outputs), history)
        .run();
    return logits;
  }

  private static LogitsProcessing penalties(float repetition, float presence, float frequency) {
    return new LogitsProcessing(Map.of(), repetition, presence, frequency, List.of(), 0, Set.of());
  }

  private static LogitsProcessing badWords(List<List<Integer>> words) {
    return new LogitsProcessing(Map.of(), 1, 0, 0, words, 0, Set.of());
  }

  @Test
  void repetitionCountsPromptAndOutputOnce() {
    assertThat(process(penalties(2, 0, 0), 1, 0, 0, 1, 3)).containsExactly(1, -4, 4, -8, 1);
  }

  @Test
  void presenceAndFrequencyCountTheOutputAlone() {
    assertThat(process(penalties(1, 0.5f, 0), 3, 4, 0, 0, 3))
        .containsExactly(1.5f, -2, 4, -4.5f, 1);
    assertThat(process(penalties(1, 0, 0.5f), 3, 4, 0, 0, 3)).containsExactly(1, -2, 4, -4.5f, 1);
    assertThat(process(penalties(2, 1, 0.5f), 2, 2, 0, 0)).containsExactly(-1, -2, 2, -4, 1);
  }

  @Test
  void aBiasComesBeforePenalties() {
    LogitsProcessing how =
        new LogitsProcessing(Map.of(0, -3f, 2, 1f, 99, 5f), 2, 0, 0, List.of(), 0, Set.of());
    assertThat(process(how, 0, 0, 2)).containsExactly(-2, -2, 2.5f, -4, 1);
  }

  @Test
  void aBadWordIsSuppressedWhereAllButItsLastTokenStand() {
    LogitsProcessing how = badWords(List.of(List.of(4), List.of(1, 2, 0), List.of(2, 2, 1)));
    assertThat(process(how, 1, 3, 1, 2)).containsExactly(NEVER, -2, 4, -4, NEVER);
    assertThat(process(how, 0, 2)).containsExactly(2, -2, 4, -4, NEVER);
    assertThat(process(how, 2, 2, 2)).containsExactly(2, NEVER, 4, -4, NEVER);
  }

  @Test
  void endTokensAreSuppressedAmongTheFirstAlone() {
    LogitsProcessing how = new LogitsProcessing(Map.of(), 1, 0, 0, List.of(), 2, Set.of(2, 77));
    assertThat(process(how, 1, 0, 1)).containsExactly(2, -2, NEVER, -4, 1);
    assertThat(process(how, 2, 0, 1)).containsExactly(2, -2, 4, -4, 1);
    assertThat(how.changes(1)).isTrue();
    assertThat(how.changes(2)).isFalse();
  }
}
