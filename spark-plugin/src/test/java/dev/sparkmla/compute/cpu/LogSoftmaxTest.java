package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.policy.LogitsProcessing;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class LogSoftmaxTest {
  private static List<Integer> ids(Logprobs logprobs) {
    return logprobs.likeliest().stream().map(Logprobs.Likely::token).toList();
  }

  @Test
  void namesTheLowerIdFirstAmongEquals() {
    Logprobs logprobs = new LogSoftmax(new float[] {1, 2, 1, 2, 0}).logprobs(4, 3);
    assertThat(ids(logprobs)).containsExactly(1, 3, 0);
  }

  @Test
  void saysOfEqualTokensThatEachHasItsPart() {
    Logprobs logprobs = new LogSoftmax(new float[] {1000, 1000, 1000, 1000}).logprobs(2, 9);
    assertThat(logprobs.chosen()).isEqualTo((float) Math.log(0.25));
    assertThat(logprobs.likeliest()).hasSize(4);
  }

  @Test
  void aTokenThatCannotBeIsInfinitelyUnlikely() {
    float[] logits = {Float.NEGATIVE_INFINITY, 3};
    Logprobs logprobs = new LogSoftmax(logits).logprobs(0, 1);
    assertThat(logprobs.chosen()).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(logprobs.likeliest()).containsExactly(new Logprobs.Likely(1, 0));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void ordersAllTokensAndTheirProbabilitiesAddUpToOne(long seed) {
    Random random = new Random(seed);
    float[] logits = new float[200];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = random.nextInt(40) - 20f; // some are equal
    }
    Logprobs logprobs = new LogSoftmax(logits).logprobs(7, logits.length);
    assertThat(ids(logprobs))
        .isEqualTo(
            IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparing((Integer id) -> -logits[id]))
                .toList());
    assertThat(logprobs.likeliest().stream().mapToDouble(one -> Math.exp(one.logprob())).sum())
        .isCloseTo(1, within(1e-5));
  }

  /** On the reference's own logits, where its processing changes nothing about the first token. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void equalsTransformers(GoldenCheckpoint checkpoint) {
    for (GoldenCheckpoint.ProcessedCase golden : checkpoint.processedCases()) {
      LogitsProcessing how = golden.processing();
      if (how.equals(
          new LogitsProcessing(
              Map.of(),
              1,
              how.presencePenalty(),
              how.frequencyPenalty(),
              List.of(),
              0,
              Set.of()))) {
        float[] logits =
            checkpoint.cases().stream()
                .filter(one -> Arrays.equals(one.tokens(), golden.prompt()))
                .findFirst()
                .orElseThrow()
                .logits();
        Logprobs logprobs = new LogSoftmax(logits).logprobs(0, golden.logprobs().size());
        assertThat(ids(logprobs)).containsExactlyElementsOf(golden.logprobs().keySet());
        logprobs
            .likeliest()
            .forEach(
                one ->
                    assertThat(one.logprob())
                        .isCloseTo(golden.logprobs().get(one.token()), within(1e-3f)));
      }
    }
  }

  static Stream<GoldenCheckpoint> checkpoints() {
    return GoldenCheckpoint.all().stream().filter(one -> !one.processedCases().isEmpty());
  }
}
