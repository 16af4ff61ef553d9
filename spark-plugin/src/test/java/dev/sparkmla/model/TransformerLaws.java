package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The forward pass against transformers in float64, on whatever backend. */
abstract class TransformerLaws {
  private static final int BLOCKS = 100;

  private ComputeBackend backend;

  /** A backend, closed after the test. */
  abstract ComputeBackend open();

  /** Largest deviation of a logit, in standard deviations of the logits. */
  abstract double tolerance();

  @BeforeEach
  void openBackend() {
    backend = open();
  }

  @AfterEach
  void closeBackend() {
    backend.close();
  }

  static Stream<GoldenCheckpoint> checkpoints() {
    return GoldenCheckpoint.all().stream();
  }

  /** Blocks of the cache in no order, handed out to sequences. */
  private static final class Blocks {
    private final List<Integer> free = new ArrayList<>();

    Blocks(long seed) {
      this(seed, BLOCKS);
    }

    Blocks(long seed, int count) {
      IntStream.range(0, count).forEach(free::add);
      Collections.shuffle(free, new Random(seed));
    }

    int[] take(int tokens) {
      int count = (tokens + LatentCache.BLOCK_TOKENS - 1) / LatentCache.BLOCK_TOKENS;
      return IntStream.range(0, count).map(i -> free.remove(free.size() - 1)).toArray();
    }
  }

  private static StepRow row(int[] tokens, int begin, int end, int[] blocks, boolean wanted) {
    return new StepRow(
        Arrays.copyOfRange(tokens, begin, end),
        begin,
        blocks,
        wanted ? Optional.of(Sampling.GREEDY) : Optional.empty(),
        OptionalInt.empty());
  }

  private static float[] prefill(MlaTransformer model, int[] tokens, int[] blocks, int chunk) {
    float[] logits = null;
    for (int begin = 0; begin < tokens.length; begin += chunk) {
      int end = Math.min(tokens.length, begin + chunk);
      logits = model.logits(new StepBatch(List.of(row(tokens, begin, end, blocks, true))))[0];
    }
    return logits;
  }

  private void assertClose(float[] logits, GoldenCheckpoint.Case golden) {
    double largest = 0;
    for (int i = 0; i < logits.length; i++) {
      largest = Math.max(largest, Math.abs(logits[i] - golden.logits()[i]));
    }
    assertThat(largest / golden.deviation()).isLessThan(tolerance());
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void computesTheReferencesLogitsInAnyChunks(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model =
        MlaTransformer.load(checkpoint.folder(), backend, new CacheSize.Blocks(BLOCKS))) {
      for (GoldenCheckpoint.Case golden : checkpoint.cases()) {
        int[] tokens = golden.tokens();
        float[] whole = prefill(model, tokens, new Blocks(1).take(tokens.length), tokens.length);
        assertClose(whole, golden);
        for (int chunk : new int[] {64, 100, 512}) {
          if (chunk < tokens.length) {
            int[] blocks = new Blocks(chunk).take(tokens.length);
            assertClose(prefill(model, tokens, blocks, chunk), golden);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void decodingEqualsPrefilling(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model =
        MlaTransformer.load(checkpoint.folder(), backend, new CacheSize.Blocks(BLOCKS))) {
      GoldenCheckpoint.Case golden = checkpoint.cases().get(3);
      int[] blocks = new Blocks(2).take(golden.tokens().length);
      assertClose(prefill(model, golden.tokens(), blocks, 1), golden);
    }
  }

  /** A row may name the token of the step before, whatever its place there and here. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void goesOnWithTheTokenOfTheStepBefore(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model =
        MlaTransformer.load(checkpoint.folder(), backend, new CacheSize.Blocks(BLOCKS))) {
      int[] prompt = checkpoint.cases().get(2).tokens();
      int length = prompt.length;
      Blocks free = new Blocks(5);
      int[] alone = free.take(length + 2);
      int first = submit(model, row(prompt, 0, length, alone, true))[0];
      int second =
          submit(model, row(new int[length + 1], length, length + 1, alone, true, first))[0];

      int[] blocks = free.take(length + 2);
      int[] others = free.take(length + 2);
      StepRow other = row(prompt, 0, length, others, true);
      StepRow chunk = row(prompt, 0, 7, free.take(7), false);
      PendingStep before =
          model.submit(new StepBatch(List.of(chunk, row(prompt, 0, length, blocks, true), other)));
      StepRow goesOn =
          new StepRow(new int[1], length, blocks, Optional.of(Sampling.GREEDY), OptionalInt.of(1));
      StepRow otherPrompt = row(prompt, 0, length, free.take(length), true);
      PendingStep ahead = model.submit(new StepBatch(List.of(otherPrompt, goesOn)));

      assertThatThrownBy(ahead::tokens).isInstanceOf(IllegalStateException.class);
      assertThat(before.tokens()).containsExactly(LanguageModel.NO_TOKEN, first, first);
      assertThat(ahead.tokens()).containsExactly(first, second);
      StepRow unknown =
          new StepRow(new int[1], length, others, Optional.of(Sampling.GREEDY), OptionalInt.of(2));
      assertThatThrownBy(() -> model.submit(new StepBatch(List.of(unknown))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("row 2 of the step before");
    }
  }

  private static StepRow row(
      int[] tokens, int begin, int end, int[] blocks, boolean wanted, int last) {
    tokens[end - 1] = last;
    return row(tokens, begin, end, blocks, wanted);
  }

  private static int[] submit(MlaTransformer model, StepRow row) {
    return model.submit(new StepBatch(List.of(row))).tokens();
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void randomParametersMakeTheSameModelAgain(GoldenCheckpoint checkpoint) {
    ModelConfig config = ModelConfig.read(checkpoint.folder());
    int[] tokens = checkpoint.cases().get(2).tokens();
    List<float[]> logits = new ArrayList<>();
    for (long seed : new long[] {7, 7, 8}) {
      try (MlaTransformer model =
          MlaTransformer.random(config, seed, backend, new CacheSize.Blocks(BLOCKS))) {
        logits.add(prefill(model, tokens, new Blocks(1).take(tokens.length), tokens.length));
      }
    }
    assertThat(logits.get(0)).isEqualTo(logits.get(1)).isNotEqualTo(logits.get(2));
    for (float logit : logits.get(0)) {
      assertThat(logit).isFinite();
    }
  }

  /** All prompts of a checkpoint at once, each going its way from prefill to decoding. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void continuesAsTheReferenceInABatch(GoldenCheckpoint checkpoint) {
    assertContinuesTogether(checkpoint, 1, 400);
  }

  /**
   * @param copies of all prompts
   * @param largestChunk of a prompt in a step
   */
  void assertContinuesTogether(GoldenCheckpoint checkpoint, int copies, int largestChunk) {
    try (MlaTransformer model =
        MlaTransformer.load(checkpoint.folder(), backend, new CacheSize.Blocks(copies * BLOCKS))) {
      List<GoldenCheckpoint.Case> cases = checkpoint.cases();
      Blocks free = new Blocks(3, copies * BLOCKS);
      List<Continuation> continuations = new ArrayList<>();
      for (int copy = 0; copy < copies; copy++) {
        for (GoldenCheckpoint.Case golden : cases) {
          continuations.add(new Continuation(golden, free));
        }
      }
      Random random = new Random(4);
      while (continuations.stream().anyMatch(Continuation::isRunning)) {
        List<Continuation> running =
            continuations.stream().filter(Continuation::isRunning).toList();
        int[] chosen =
            model
                .submit(
                    new StepBatch(
                        running.stream().map(one -> one.next(random, largestChunk)).toList()))
                .tokens();
        for (int i = 0; i < chosen.length; i++) {
          running.get(i).accept(chosen[i]);
        }
      }
      for (Continuation continuation : continuations) {
        continuation.assertGreedy();
      }
    }
  }

  private final class Continuation {
    private final GoldenCheckpoint.Case golden;
    private final int[] tokens;
    private final int[] blocks;
    private final List<Integer> chosen = new ArrayList<>();
    private int done;
    private int end;

    Continuation(GoldenCheckpoint.Case golden, Blocks free) {
      this.golden = golden;
      // The reference's tokens go in, so that a tie does not change what follows.
      this.tokens =
          IntStream.concat(Arrays.stream(golden.tokens()), Arrays.stream(golden.greedy()))
              .toArray();
      this.blocks = free.take(tokens.length);
    }

    boolean isRunning() {
      return chosen.size() < golden.greedy().length;
    }

    StepRow next(Random random, int largestChunk) {
      int prompt = golden.tokens().length;
      end = done < prompt ? Math.min(prompt, done + 1 + random.nextInt(largestChunk)) : done + 1;
      return row(tokens, done, end, blocks, end >= prompt);
    }

    void accept(int token) {
      done = end;
      if (done < golden.tokens().length) {
        assertThat(token).isEqualTo(LanguageModel.NO_TOKEN);
      } else {
        chosen.add(token);
      }
    }

    void assertGreedy() {
      for (int i = 0; i < golden.greedy().length; i++) {
        if (golden.margins()[i] > tolerance() * golden.deviation()) {
          assertThat(chosen.get(i))
              .as("token " + i + " of " + golden)
              .isEqualTo(golden.greedy()[i]);
        }
      }
    }
  }
}
