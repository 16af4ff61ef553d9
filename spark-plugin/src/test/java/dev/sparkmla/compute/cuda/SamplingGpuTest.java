package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomAutomata;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.policy.TokenBytes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Processed logits and chosen tokens against the CPU backend. A row's logits are the row of a table
 * that its last token names, the same bits on either backend.
 */
@Tag("gpu")
class SamplingGpuTest {
  private static final int STEPS = 8;
  private static final int MOST_PROMPT = 200;
  private static final int STATES = 40;

  /** Some rows that begin together and go on with tokens that only the device knows. */
  private static final class Rows {
    private final int vocabulary;
    private final TokenBytes bytes;
    private final List<int[]> prompts = new ArrayList<>();
    private final List<Sampling> samplings = new ArrayList<>();
    private final List<Optional<Constraint>> constraints = new ArrayList<>();

    Rows(int rows, int vocabulary, Random random) {
      this.vocabulary = vocabulary;
      this.bytes = RandomAutomata.vocabulary(vocabulary, random);
      for (int i = 0; i < rows; i++) {
        // Few different tokens, so that they occur again.
        prompts.add(random.ints(1 + random.nextInt(MOST_PROMPT), 0, 60).toArray());
        samplings.add(sampling(random));
        constraints.add(random.nextInt(3) > 0 ? Optional.of(constraint(random)) : Optional.empty());
      }
    }

    private Sampling sampling(Random random) {
      Map<Integer, Float> bias = new HashMap<>();
      for (int i = random.nextInt(40); i > 0; i--) {
        bias.put(random.nextInt(2 * vocabulary), random.nextFloat() - 0.5f);
      }
      List<List<Integer>> badWords = new ArrayList<>();
      for (int i = random.nextInt(300); i > 0; i--) {
        badWords.add(random.ints(1 + random.nextInt(3), 0, 60).boxed().toList());
      }
      LogitsProcessing processing =
          random.nextInt(4) == 0
              ? LogitsProcessing.NONE
              : new LogitsProcessing(
                  bias,
                  random.nextBoolean() ? 1 : 0.5f + random.nextFloat(),
                  random.nextBoolean() ? 0 : random.nextFloat(),
                  random.nextBoolean() ? 0 : random.nextFloat() - 0.5f,
                  badWords,
                  random.nextInt(STEPS),
                  Set.of(random.nextInt(vocabulary), random.nextInt(vocabulary), 2 * vocabulary));
      Sampling sampling =
          random.nextBoolean()
              ? Sampling.GREEDY.withProcessing(processing)
              : new Sampling(
                  0.7f,
                  random.nextInt(3) * 20,
                  random.nextBoolean() ? 1 : 0.9f,
                  random.nextBoolean() ? 0 : 0.05f,
                  random.nextLong(),
                  0,
                  processing);
      return sampling.withLogprobs(
          random.nextInt(3) == 0
              ? OptionalInt.of(random.nextInt(1 + Sampling.MOST_LOGPROBS))
              : OptionalInt.empty());
    }

    private Constraint constraint(Random random) {
      return new Constraint(
          RandomAutomata.automaton(STATES, random),
          bytes,
          random.nextInt(4) == 0 ? OptionalInt.of(random.nextInt(60)) : OptionalInt.empty());
    }

    /** What a backend chooses, by step. */
    List<SampledTokens> run(ComputeBackend backend) {
      List<SampledTokens> chosen = new ArrayList<>();
      List<Optional<ConstraintTable>> tables =
          constraints.stream()
              .map(one -> one.map(constraint -> backend.constrain(constraint).orElseThrow()))
              .toList();
      int blocks = (MOST_PROMPT + STEPS) / CacheShape.PAGE + 1;
      try (Weight table = RandomTensors.uploadMatrix(backend, vocabulary, vocabulary, 2, 3);
          LatentCache cache =
              backend.allocateCache(CacheShape.of(512, 64), 1, blocks * prompts.size())) {
        Forward forward = plan -> sample(backend, table, cache, plan);
        for (int step = 0; step < STEPS; step++) {
          List<Segment> segments = new ArrayList<>();
          for (int row = 0; row < prompts.size(); row++) {
            segments.add(segment(step, row, blocks, tables.get(row)));
          }
          try (StepPlan plan = backend.plan(segments)) {
            backend.run(plan, forward);
            chosen.add(backend.tokens(plan));
          }
        }
      }
      tables.forEach(table -> table.ifPresent(ConstraintTable::close));
      return chosen;
    }

    private Segment segment(int step, int row, int blocks, Optional<ConstraintTable> table) {
      int[] prompt = prompts.get(row);
      Segment.Position position =
          step == 0
              ? new Segment.Position.Known(
                  constraints.get(row).map(Constraint::start).orElse(Constraint.UNARMED))
              : new Segment.Position.Sampled(row);
      Segment.Sample sample =
          new Segment.Sample(
              step == 0 ? prompt.length - 1 : 0,
              samplings.get(row).withIndex(step),
              table.map(open -> new Segment.Constrained(open, position)));
      return new Segment(
          step == 0 ? Segment.Role.PREFILL : Segment.Role.DECODE,
          step == 0 ? new Segment.Tokens.Known(prompt) : new Segment.Tokens.Sampled(row),
          step == 0 ? 0 : prompt.length + step - 1,
          IntStream.range(row * blocks, (row + 1) * blocks).toArray(),
          List.of(sample));
    }

    private static void sample(
        ComputeBackend backend, Weight table, LatentCache cache, StepPlan plan) {
      int columns = table.rows();
      try (Activation rows = backend.allocate(plan.rows(), columns, Precision.FLOAT32);
          Activation logits = backend.allocate(plan.sampledRows(), columns, Precision.FLOAT32)) {
        backend.writeTokens(plan, cache);
        backend.embed(table, 1, plan, rows);
        backend.gatherSampled(rows, plan, logits);
        backend.sample(logits, plan, cache);
      }
    }
  }

  /** Steps after the second of a shape are replayed. */
  @ParameterizedTest(name = "{0} rows of {1} tokens, seed {2}")
  @CsvSource({"1, 64, 1", "5, 328, 2", "9, 328, 3", "16, 1000, 4", "40, 1000, 5", "12, 4200, 6"})
  void choosesWhatTheProcessorChooses(int rows, int vocabulary, long seed) {
    Rows problem = new Rows(rows, vocabulary, new Random(seed));
    List<SampledTokens> expected;
    List<SampledTokens> chosen;
    try (ComputeBackend cpu = ComputeBackends.cpu(2)) {
      expected = problem.run(cpu);
    }
    try (ComputeBackend cuda = new CudaBackend(GpuDevice.at(0))) {
      chosen = problem.run(cuda);
    }
    boolean[] lost = new boolean[rows];
    long[] answers =
        problem.constraints.stream()
            .mapToLong(one -> one.map(Constraint::start).orElse(Constraint.UNARMED))
            .toArray();
    for (int step = 0; step < STEPS; step++) {
      for (int row = 0; row < rows; row++) {
        if (lost[row]) {
          continue; // No token was left to choose, and the engine would have ended the row.
        }
        int token = expected.get(step).token(row).orElseThrow();
        String where = "row %d, step %d, %s".formatted(row, step, problem.samplings.get(row));
        assertThat(chosen.get(step).token(row)).as(where).hasValue(token);
        assertClose(chosen.get(step).logprobs(row), expected.get(step).logprobs(row), where);
        if (problem.constraints.get(row).isPresent()) {
          answers[row] = problem.constraints.get(row).get().advance(answers[row], token);
          lost[row] = answers[row] == ByteAutomaton.DEAD;
        }
      }
    }
  }

  private static void assertClose(
      Optional<Logprobs> reported, Optional<Logprobs> expected, String where) {
    assertThat(reported.isPresent()).as(where).isEqualTo(expected.isPresent());
    if (expected.isPresent()) {
      assertThat(reported.get().chosen())
          .as(where)
          .isCloseTo(expected.get().chosen(), within(1e-4f));
      assertThat(ids(reported.get())).as(where).isEqualTo(ids(expected.get()));
      for (int i = 0; i < expected.get().likeliest().size(); i++) {
        assertThat(reported.get().likeliest().get(i).logprob())
            .as(where)
            .isCloseTo(expected.get().likeliest().get(i).logprob(), within(1e-4f));
      }
    }
  }

  private static List<Integer> ids(Logprobs logprobs) {
    return logprobs.likeliest().stream().map(Logprobs.Likely::token).toList();
  }
}
