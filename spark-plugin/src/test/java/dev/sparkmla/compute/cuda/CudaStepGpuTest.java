package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Laws of whole steps, over a model of one layer. */
@Tag("gpu")
class CudaStepGpuTest {
  private static final int BLOCKS_EACH = 16;

  private final CudaBackend backend = new CudaBackend(GpuDevice.at(0));
  private OneLayer model;

  @BeforeEach
  void open() {
    model = new OneLayer(backend, 80 * BLOCKS_EACH);
  }

  @AfterEach
  void close() {
    assertThat(backend.device().arena.live()).isZero();
    model.close();
    backend.close();
  }

  /**
   * What a step gave.
   *
   * @param logits of the sampled rows and of those that were added; empty where it was repeated
   */
  private record Result(SampledTokens tokens, float[][] logits) {}

  /** Computes a step plainly. */
  private Result compute(List<Segment> segments) {
    float[][][] logits = new float[1][][];
    Forward once = plan -> model.compute(plan, (Activation seen) -> logits[0] = backend.read(seen));
    try (StepPlan plan = backend.plan(segments)) {
      backend.run(plan, once);
      return new Result(backend.tokens(plan), logits[0]);
    }
  }

  private SampledTokens run(List<Segment> segments, Forward forward) {
    try (StepPlan plan = backend.plan(segments)) {
      backend.run(plan, forward);
      return backend.tokens(plan);
    }
  }

  private static int[] blocks(int sequence) {
    // Backwards, so that a table is no run of numbers.
    int last = (sequence + 1) * BLOCKS_EACH - 1;
    return IntStream.range(0, BLOCKS_EACH).map(i -> last - i).toArray();
  }

  private static int[] prompt(int seed, int tokens) {
    return new Random(seed).ints(tokens, 0, OneLayer.NAN_TOKEN).toArray();
  }

  private static Segment sampled(Segment.Tokens tokens, int position, int sequence, int seed) {
    Segment.Sample sample =
        new Segment.Sample(
            tokens.count() - 1,
            new Sampling(1, 20, 0.9f, 0, seed, position, LogitsProcessing.NONE));
    return new Segment(Segment.Role.DECODE, tokens, position, blocks(sequence), List.of(sample));
  }

  @ParameterizedTest(name = "after {0} tokens")
  @ValueSource(ints = {1, 62, 200, 700})
  void severalDecodingTokensOfASegmentEqualSingleOnes(int promptTokens) {
    int[] generated = prompt(2, 7);
    for (int sequence : new int[] {0, 1}) {
      compute(List.of(Segments.prompt(prompt(1, promptTokens), 0, blocks(sequence))));
    }
    List<Segment.Sample> everywhere =
        IntStream.range(0, generated.length)
            .mapToObj(offset -> new Segment.Sample(offset, Sampling.GREEDY))
            .toList();
    Result together =
        compute(
            List.of(
                new Segment(
                    Segment.Role.DECODE,
                    new Segment.Tokens.Known(generated),
                    promptTokens,
                    blocks(0),
                    everywhere)));
    for (int i = 0; i < generated.length; i++) {
      Result single =
          compute(List.of(Segments.decode(new int[] {generated[i]}, promptTokens + i, blocks(1))));
      assertThat(together.logits()[i]).as("token %d", i).isEqualTo(single.logits()[0]);
      assertThat(together.tokens().token(i)).isPresent().isEqualTo(single.tokens().token(0));
    }
  }

  /**
   * The steps of some sequences: their prompts, one known token each, then several steps with the
   * tokens that were sampled before; by step and sequence, what was sampled.
   */
  private List<List<OptionalInt>> generate(
      List<Integer> sequences, int nanSequence, Forward forward, List<float[][]> logits) {
    List<List<OptionalInt>> tokens = new ArrayList<>();
    for (int step = 0; step < 8; step++) {
      List<Segment> segments = new ArrayList<>();
      for (int row = 0; row < sequences.size(); row++) {
        int sequence = sequences.get(row);
        int length = 40 + 30 * sequence;
        if (step == 0) {
          segments.add(Segments.prompt(prompt(sequence, length), 0, blocks(sequence)));
        } else if (step == 1) {
          int token = sequence == nanSequence ? OneLayer.NAN_TOKEN : sequence;
          segments.add(
              sampled(new Segment.Tokens.Known(new int[] {token}), length, sequence, sequence));
        } else {
          segments.add(
              sampled(new Segment.Tokens.Sampled(row), length + step - 1, sequence, sequence));
        }
      }
      SampledTokens chosen;
      if (step > 1 && forward != null) {
        chosen = run(segments, forward);
      } else {
        Result result = compute(segments);
        chosen = result.tokens();
        logits.add(result.logits());
      }
      tokens.add(IntStream.range(0, sequences.size()).mapToObj(chosen::token).toList());
    }
    return tokens;
  }

  @ParameterizedTest(name = "recorded: {0}")
  @ValueSource(booleans = {false, true})
  void aRowThatIsNotANumberHasNoTokenAndChangesNoOther(boolean recorded) {
    Forward forward = recorded ? plan -> model.compute(plan, seen -> {}) : null;
    List<float[][]> logits = new ArrayList<>();
    List<List<OptionalInt>> with = generate(List.of(0, 1, 2), 1, forward, logits);
    List<float[][]> expectedLogits = new ArrayList<>();
    List<List<OptionalInt>> without = generate(List.of(0, 2), 1, forward, expectedLogits);
    for (int step = 0; step < with.size(); step++) {
      assertThat(with.get(step).get(0)).as("step %d", step).isPresent();
      assertThat(List.of(with.get(step).get(0), with.get(step).get(2)))
          .as("step %d", step)
          .isEqualTo(without.get(step));
    }
    assertThat(with.get(0).get(1)).as("the prompt is sound").isPresent();
    // The keys and values of the NaN token stay in the sequence's cache.
    for (int step = 1; step < with.size(); step++) {
      assertThat(with.get(step).get(1)).as("step %d", step).isEmpty();
    }
    for (int step = 0; step < expectedLogits.size(); step++) {
      assertThat(logits.get(step)[0]).isEqualTo(expectedLogits.get(step)[0]);
      assertThat(logits.get(step)[2]).isEqualTo(expectedLogits.get(step)[1]);
    }
  }

  @Test
  void aPromptThatIsNotANumberChangesNoOther() {
    int[] broken = prompt(1, 150);
    broken[70] = OneLayer.NAN_TOKEN;
    Segment first = Segments.prompt(prompt(0, 100), 0, blocks(0));
    Segment last = Segments.prompt(prompt(2, 333), 0, blocks(2));
    Result with = compute(List.of(first, Segments.prompt(broken, 0, blocks(1)), last));
    Result without = compute(List.of(first, last));
    assertThat(with.tokens().token(1)).isEmpty();
    assertThat(with.logits()[0]).isEqualTo(without.logits()[0]);
    assertThat(with.logits()[2]).isEqualTo(without.logits()[1]);
    assertThat(with.tokens().token(0)).isPresent().isEqualTo(without.tokens().token(0));
    assertThat(with.tokens().token(2)).isPresent().isEqualTo(without.tokens().token(1));
  }

  /** Larger steps move decode attention's workspace, and what was recorded must not outlive it. */
  @ParameterizedTest(name = "{0} rows, then {1}")
  @CsvSource({"1, 5", "5, 64", "64, 1"})
  void stepsOfOneSizeAreTheSameAfterStepsOfAnother(int rows, int otherRows) {
    Forward forward = plan -> model.compute(plan, seen -> {});
    for (int sequence = 0; sequence < Math.max(rows, otherRows); sequence++) {
      compute(List.of(Segments.prompt(prompt(sequence, 100 + sequence), 0, blocks(sequence))));
    }
    Result expected = compute(decodeEach(rows));
    for (int i = 0; i < 3; i++) {
      for (int size : new int[] {rows, otherRows}) {
        for (int repeat = 0; repeat < 3; repeat++) {
          SampledTokens tokens = run(decodeEach(size), forward);
          for (int row = 0; row < Math.min(size, rows); row++) {
            assertThat(tokens.token(row))
                .as("row %d of %d", row, size)
                .isPresent()
                .isEqualTo(expected.tokens().token(row));
          }
        }
      }
    }
  }

  private static List<Segment> decodeEach(int rows) {
    return IntStream.range(0, rows)
        .mapToObj(row -> sampled(new Segment.Tokens.Known(new int[] {row}), 100 + row, row, row))
        .toList();
  }
}
