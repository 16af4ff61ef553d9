package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
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

  /** Whether the backend computes queries that grow with their position. */
  abstract boolean growsQueries();

  /** Largest deviation of a logit, in standard deviations of the logits. */
  abstract double tolerance(GoldenCheckpoint.Case golden);

  @BeforeEach
  void openBackend() {
    backend = open();
  }

  @AfterEach
  void closeBackend() {
    backend.close();
  }

  private MlaTransformer load(GoldenCheckpoint checkpoint, CacheSize size) {
    return load(ModelConfig.read(checkpoint.folder()), () -> checkpoint.load(backend, size));
  }

  private MlaTransformer load(ModelConfig config, Supplier<MlaTransformer> loading) {
    assumeTrue(growsQueries() || config.queryGrowth().isEmpty(), "its queries grow");
    return loading.get();
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
      int count = (tokens + 63) / 64;
      return IntStream.range(0, count).map(i -> free.remove(free.size() - 1)).toArray();
    }
  }

  private static Segment prompt(int[] tokens, int begin, int end, int[] blocks) {
    return Segments.prompt(Arrays.copyOfRange(tokens, begin, end), begin, blocks);
  }

  private static Segment decode(int[] tokens, int begin, int end, int[] blocks) {
    return Segments.decode(Arrays.copyOfRange(tokens, begin, end), begin, blocks);
  }

  private static float[] prefill(MlaTransformer model, int[] tokens, int[] blocks, int chunk) {
    float[] logits = null;
    for (int begin = 0; begin < tokens.length; begin += chunk) {
      int end = Math.min(tokens.length, begin + chunk);
      logits = model.logits(List.of(prompt(tokens, begin, end, blocks)))[0];
    }
    return logits;
  }

  private void assertClose(float[] logits, GoldenCheckpoint.Case golden) {
    double largest = 0;
    for (int i = 0; i < logits.length; i++) {
      largest = Math.max(largest, Math.abs(logits[i] - golden.logits()[i]));
    }
    assertThat(largest / golden.deviation()).isLessThan(tolerance(golden));
  }

  /**
   * Chunks of one size, and the prompts that are cut into them: those longer than a block of the
   * cache, in which all happens that happens in shorter ones, but not so long that there would be
   * too many chunks.
   *
   * @param size tokens of a chunk
   * @param longest tokens of a prompt at most
   */
  private record Chunks(int size, int longest) {
    boolean cut(int tokens) {
      return tokens > Math.max(64, size) && tokens <= longest;
    }
  }

  private static final List<Chunks> CHUNKS =
      List.of(new Chunks(1, 65), new Chunks(7, 129), new Chunks(64, 700), new Chunks(333, 1500));

  @ParameterizedTest
  @MethodSource("checkpoints")
  void computesTheReferencesLogitsInAnyChunks(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(BLOCKS))) {
      for (GoldenCheckpoint.Case golden : checkpoint.cases()) {
        int[] tokens = golden.tokens();
        float[] whole = prefill(model, tokens, new Blocks(1).take(tokens.length), tokens.length);
        assertClose(whole, golden);
        for (Chunks chunks : CHUNKS) {
          if (chunks.cut(tokens.length)) {
            int[] blocks = new Blocks(chunks.size()).take(tokens.length);
            assertThat(prefill(model, tokens, blocks, chunks.size()))
                .as("%d tokens in %s", tokens.length, chunks)
                .isEqualTo(whole);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void decodingEqualsPrefilling(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(BLOCKS))) {
      GoldenCheckpoint.Case golden = checkpoint.cases().get(3);
      int[] tokens = golden.tokens();
      int[] blocks = new Blocks(2).take(tokens.length);
      float[] single = null;
      for (int i = 0; i < tokens.length; i++) {
        single = model.logits(List.of(decode(tokens, i, i + 1, blocks)))[0];
      }
      assertClose(single, golden);

      int[] others = new Blocks(3).take(tokens.length);
      float[] several = null;
      for (int i = 0; i < tokens.length; i += 13) {
        int end = Math.min(tokens.length, i + 13);
        several = model.logits(List.of(decode(tokens, i, end, others)))[0];
      }
      assertThat(several).as("several generated tokens in one step").isEqualTo(single);
    }
  }

  /** A segment may have its next tokens chosen at several places. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void givesLogitsAtEverySample(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(BLOCKS))) {
      int[] tokens = checkpoint.cases().get(2).tokens();
      int[] blocks = new Blocks(2).take(tokens.length);
      for (Segment.Role role : Segment.Role.values()) {
        List<Segment.Sample> samples =
            List.of(
                new Segment.Sample(0, Sampling.GREEDY),
                new Segment.Sample(tokens.length - 1, Sampling.GREEDY));
        float[][] logits =
            model.logits(
                List.of(new Segment(role, new Segment.Tokens.Known(tokens), 0, blocks, samples)));
        float[] first =
            model
                .logits(
                    List.of(
                        new Segment(
                            role,
                            new Segment.Tokens.Known(Arrays.copyOf(tokens, 1)),
                            0,
                            new Blocks(4).take(1),
                            samples.subList(0, 1))))[0];
        assertThat(logits).hasDimensions(2, first.length);
        assertThat(logits[0]).isEqualTo(first);
        assertClose(logits[1], checkpoint.cases().get(2));
      }
    }
  }

  /** A row may name the token of the step before, whatever its place there and here. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void goesOnWithTheTokenOfTheStepBefore(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(BLOCKS))) {
      int[] prompt = checkpoint.cases().get(2).tokens();
      int length = prompt.length;
      Blocks free = new Blocks(5);
      int[] alone = free.take(length + 2);
      int first = submit(model, prompt(prompt, 0, length, alone));
      int second = submit(model, Segments.decode(new int[] {first}, length, alone));

      int[] blocks = free.take(length + 2);
      int[] others = free.take(length + 2);
      Segment chunk = Segments.chunk(Arrays.copyOf(prompt, 7), 0, free.take(7));
      PendingStep before =
          model.submit(
              List.of(chunk, prompt(prompt, 0, length, blocks), prompt(prompt, 0, length, others)));
      PendingStep ahead =
          model.submit(
              List.of(
                  Segments.goesOn(0, length, blocks),
                  prompt(prompt, 0, length, free.take(length))));

      assertThatThrownBy(ahead::tokens).isInstanceOf(IllegalStateException.class);
      assertTokens(before, first, first);
      assertTokens(ahead, second, first);
      assertThatThrownBy(() -> model.submit(List.of(Segments.goesOn(2, length, others))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("row 2 of the step before, which had 2");
    }
  }

  private static void assertTokens(PendingStep step, int... expected) {
    SampledTokens tokens = step.tokens();
    assertThat(IntStream.range(0, tokens.rows()).map(row -> tokens.token(row).orElseThrow()))
        .containsExactly(IntStream.of(expected).boxed().toArray(Integer[]::new));
  }

  private static int submit(MlaTransformer model, Segment segment) {
    return model.submit(List.of(segment)).tokens().token(0).orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void randomParametersMakeTheSameModelAgain(GoldenCheckpoint checkpoint) {
    ModelConfig config = ModelConfig.read(checkpoint.folder());
    int[] tokens = checkpoint.cases().get(2).tokens();
    List<float[]> logits = new ArrayList<>();
    for (long seed : new long[] {7, 7, 8}) {
      try (MlaTransformer model =
          load(
              config,
              () ->
                  MlaTransformer.load(
                      config, new RandomParameters(seed), backend, new CacheSize.Blocks(BLOCKS)))) {
        logits.add(prefill(model, tokens, new Blocks(1).take(tokens.length), tokens.length));
      }
    }
    assertThat(logits.get(0)).isEqualTo(logits.get(1)).isNotEqualTo(logits.get(2));
    for (float logit : logits.get(0)) {
      assertThat(logit).isFinite();
    }
  }

  /** Penalties, biases, bad words and the least number of tokens, some rows of a step with each. */
  @ParameterizedTest
  @MethodSource("processedCheckpoints")
  void processesLogitsAsTheReference(GoldenCheckpoint checkpoint) {
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(4 * BLOCKS))) {
      double deviation = checkpoint.cases().get(0).deviation();
      double least = tolerance(checkpoint.cases().get(0)) * deviation;
      Blocks free = new Blocks(6, 4 * BLOCKS);
      List<GoldenCheckpoint.ProcessedCase> cases = checkpoint.processedCases();
      List<int[]> blocks =
          cases.stream().map(one -> free.take(one.prompt().length + one.tokens().length)).toList();
      for (int step = 0; step < 12; step++) {
        List<Segment> segments = new ArrayList<>();
        List<GoldenCheckpoint.ProcessedCase> going = new ArrayList<>();
        for (int i = 0; i < cases.size(); i++) {
          if (step < cases.get(i).tokens().length) {
            segments.add(processed(cases.get(i), step, blocks.get(i)));
            going.add(cases.get(i));
          }
        }
        SampledTokens chosen = model.submit(segments).tokens();
        for (int row = 0; row < going.size(); row++) {
          GoldenCheckpoint.ProcessedCase golden = going.get(row);
          if (golden.margins()[step] > least) {
            assertThat(chosen.token(row).orElseThrow())
                .as("token %d after %d with %s", step, golden.prompt().length, golden.processing())
                .isEqualTo(golden.tokens()[step]);
          }
        }
      }
    }
  }

  static Stream<GoldenCheckpoint> processedCheckpoints() {
    return checkpoints().filter(checkpoint -> !checkpoint.processedCases().isEmpty());
  }

  /** The prompt, or the reference's token before, so that a tie does not change what follows. */
  private static Segment processed(GoldenCheckpoint.ProcessedCase golden, int step, int[] blocks) {
    int[] prompt = golden.prompt();
    int[] tokens = step == 0 ? prompt : new int[] {golden.tokens()[step - 1]};
    Sampling sampling = Sampling.GREEDY.withProcessing(golden.processing()).withIndex(step);
    return new Segment(
        step == 0 ? Segment.Role.PREFILL : Segment.Role.DECODE,
        new Segment.Tokens.Known(tokens),
        step == 0 ? 0 : prompt.length + step - 1,
        blocks,
        List.of(new Segment.Sample(tokens.length - 1, sampling)));
  }

  /** They are those of the logits before anything is done to them. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void reportsTheReferencesLogProbabilities(GoldenCheckpoint checkpoint) {
    Sampling sampling =
        Sampling.GREEDY
            .withProcessing(
                new LogitsProcessing(Map.of(5, 9f), 3, 1, 1, List.of(List.of(6)), 0, Set.of()))
            .withLogprobs(OptionalInt.of(Sampling.MOST_LOGPROBS));
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(BLOCKS))) {
      for (GoldenCheckpoint.Case golden : checkpoint.cases()) {
        int[] tokens = golden.tokens();
        Segment segment =
            new Segment(
                Segment.Role.PREFILL,
                new Segment.Tokens.Known(tokens),
                0,
                new Blocks(1).take(tokens.length),
                List.of(new Segment.Sample(tokens.length - 1, sampling)));
        SampledTokens sampled = model.submit(List.of(segment)).tokens();
        Logprobs reported = sampled.logprobs(0).orElseThrow();
        double[] expected = logSoftmax(golden.logits());
        // A logit and the normalizer differ from the reference's, whose cache is float32.
        Offset<Double> close = Offset.offset(2 * tolerance(golden) * golden.deviation());
        assertThat((double) reported.chosen())
            .as("of the chosen token after %s", golden)
            .isCloseTo(expected[sampled.token(0).orElseThrow()], close);
        double[] falling = DoubleStream.of(expected).map(value -> -value).sorted().toArray();
        for (int i = 0; i < Sampling.MOST_LOGPROBS; i++) {
          Logprobs.Likely likely = reported.likeliest().get(i);
          assertThat((double) likely.logprob())
              .as("likeliest token %d after %s", i, golden)
              .isCloseTo(expected[likely.token()], close)
              .isCloseTo(-falling[i], close);
        }
      }
    }
  }

  static double[] logSoftmax(float[] logits) {
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit);
    }
    double normalizer = Math.log(sum);
    return IntStream.range(0, logits.length).mapToDouble(i -> logits[i] - normalizer).toArray();
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
    try (MlaTransformer model = load(checkpoint, new CacheSize.Blocks(copies * BLOCKS))) {
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
        running.forEach(one -> one.advance(random, largestChunk));
        List<Continuation> ordered =
            Stream.concat(
                    running.stream().filter(Continuation::decodes),
                    running.stream().filter(one -> !one.decodes()))
                .toList();
        SampledTokens chosen =
            model.submit(ordered.stream().map(Continuation::segment).toList()).tokens();
        int row = 0;
        for (Continuation one : ordered) {
          row += one.accept(chosen, row);
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

    boolean decodes() {
      return done >= golden.tokens().length;
    }

    void advance(Random random, int largestChunk) {
      int prompt = golden.tokens().length;
      end = decodes() ? done + 1 : Math.min(prompt, done + 1 + random.nextInt(largestChunk));
    }

    Segment segment() {
      if (decodes()) {
        return decode(tokens, done, end, blocks);
      }
      return end == golden.tokens().length
          ? prompt(tokens, done, end, blocks)
          : Segments.chunk(Arrays.copyOfRange(tokens, done, end), done, blocks);
    }

    /** Takes its token, if it asked for one; returns how many it asked for. */
    int accept(SampledTokens sampled, int row) {
      done = end;
      if (done < golden.tokens().length) {
        return 0;
      }
      chosen.add(sampled.token(row).orElseThrow());
      return 1;
    }

    void assertGreedy() {
      for (int i = 0; i < golden.greedy().length; i++) {
        if (golden.margins()[i] > tolerance(golden) * golden.deviation()) {
          assertThat(chosen.get(i))
              .as("token " + i + " of " + golden)
              .isEqualTo(golden.greedy()[i]);
        }
      }
    }
  }
}
