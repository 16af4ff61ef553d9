package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.RandomAutomata;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.model.PendingStep;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SchedulerTest {
  private static final int VOCABULARY = 1000;

  private static Sequence sequence(int[] prompt, int maxTokens) {
    return new Sequence(prompt, maxTokens, Sampling.GREEDY, Optional.empty());
  }

  /** A prompt of {@code length} tokens that shares no block with one of another {@code content}. */
  private static int[] prompt(int content, int length) {
    return IntStream.range(0, length).map(i -> (content * 7919 + i) % VOCABULARY).toArray();
  }

  /** Runs a step and drops what is finished. */
  private static List<Sequence> step(Scheduler scheduler, FakeLanguageModel model) {
    List<Sequence> grown = complete(scheduler, submit(scheduler, model));
    Set<Sequence> finished = new HashSet<>(grown);
    finished.removeIf(sequence -> sequence.outputTokens() < sequence.maxTokens());
    scheduler.removeIf(finished::contains);
    return grown;
  }

  private static PendingStep submit(Scheduler scheduler, FakeLanguageModel model) {
    PlannedStep step = scheduler.plan().orElseThrow();
    PendingStep pending = model.submit(step.segments());
    scheduler.submitted(step);
    return pending;
  }

  private static List<Sequence> complete(Scheduler scheduler, PendingStep pending) {
    Scheduler.Completed completed = scheduler.complete(pending.tokens());
    assertThat(completed.failed()).isEmpty();
    return completed.grown();
  }

  private static void runToTheEnd(Scheduler scheduler, FakeLanguageModel model) {
    while (!scheduler.isIdle()) {
      step(scheduler, model);
    }
    assertThat(scheduler.plan()).isEmpty();
  }

  private static void assertGenerated(Sequence sequence, int[] prompt) {
    assertThat(sequence.output())
        .isEqualTo(
            FakeLanguageModel.expected(VOCABULARY, prompt, sequence.maxTokens(), Sampling.GREEDY));
  }

  @Test
  void computesAPromptInChunksOfTheBudget() {
    Scheduler scheduler = new Scheduler(100, 4, 16, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 16);
    int[] prompt = prompt(1, 250);
    Sequence sequence = sequence(prompt, 2);
    scheduler.add(sequence);

    List<List<Integer>> sizes = new ArrayList<>();
    while (!scheduler.isIdle()) {
      sizes.add(scheduler.plan().orElseThrow().segments().stream().map(Segment::count).toList());
      List<Sequence> grown = complete(scheduler, submit(scheduler, model));
      scheduler.removeIf(s -> grown.contains(s) && s.outputTokens() == 2);
    }

    assertThat(sizes).containsExactly(List.of(100), List.of(100), List.of(50), List.of(1));
    assertGenerated(sequence, prompt);
  }

  @Test
  void decodesBeforeItPrefillsAndServesInOrderOfArrival() {
    Scheduler scheduler = new Scheduler(64, 4, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    Sequence first = sequence(prompt(1, 10), 5);
    Sequence second = sequence(prompt(2, 100), 5);
    Sequence third = sequence(prompt(3, 10), 5);
    List.of(first, second, third).forEach(scheduler::add);

    // 10 of the first, 54 of the second; then 1, 46 and 10 of 64.
    assertThat(step(scheduler, model)).containsExactly(first);
    assertThat(step(scheduler, model)).containsExactly(first, second, third);
    assertThat(model.largestStep()).isEqualTo(64);
  }

  @Test
  void runsNoMoreThanMaxSequences() {
    Scheduler scheduler = new Scheduler(1000, 2, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    for (int i = 0; i < 5; i++) {
      scheduler.add(sequence(prompt(i, 10), 3));
    }
    while (!scheduler.isIdle()) {
      step(scheduler, model);
      assertThat(scheduler.running()).isLessThanOrEqualTo(2);
    }
    assertThat(model.steps()).isEqualTo(9);
  }

  @Test
  void computesASharedPrefixOnceAlsoWhenAllArriveTogether() {
    Scheduler scheduler = new Scheduler(128, 8, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    List<int[]> prompts = new ArrayList<>();
    List<Sequence> sequences = new ArrayList<>();
    for (int question = 0; question < 4; question++) {
      int[] prompt = prompt(1, 320);
      prompt[310] = question;
      prompts.add(prompt);
      sequences.add(sequence(prompt, 3));
      scheduler.add(sequences.get(question));
    }
    int computed = 0;
    while (!scheduler.isIdle()) {
      computed += scheduler.plan().orElseThrow().tokens();
      List<Sequence> grown = complete(scheduler, submit(scheduler, model));
      scheduler.removeIf(s -> grown.contains(s) && s.outputTokens() == 3);
    }

    // 256 of the 320 once, 64 for each of the four, and two decoded tokens of each.
    assertThat(computed).isEqualTo(256 + 4 * 64 + 4 * 2);
    assertThat(sequences.stream().map(Sequence::cachedTokens)).containsExactly(0, 256, 256, 256);
    for (int i = 0; i < 4; i++) {
      assertGenerated(sequences.get(i), prompts.get(i));
    }
  }

  @Test
  void doesOtherWorkWhileASharedPrefixIsComputed() {
    Scheduler scheduler = new Scheduler(256, 8, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    Sequence first = sequence(prompt(1, 100), 1);
    Sequence same = sequence(prompt(1, 100), 1);
    Sequence other = sequence(prompt(2, 100), 1);
    List.of(first, same, other).forEach(scheduler::add);

    assertThat(step(scheduler, model)).containsExactly(first, other);
    assertThat(step(scheduler, model)).containsExactly(same);
    assertThat(same.cachedTokens()).isEqualTo(64);
  }

  @Test
  void neverTakesTheLastTokenFromTheCache() {
    Scheduler scheduler = new Scheduler(256, 8, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    for (int length : new int[] {128, 128, 129}) {
      Sequence sequence = sequence(prompt(1, length), 2);
      scheduler.add(sequence);
      runToTheEnd(scheduler, model);
      assertGenerated(sequence, prompt(1, length));
    }
    Sequence again = sequence(prompt(1, 128), 2);
    scheduler.add(again);
    runToTheEnd(scheduler, model);
    assertThat(again.cachedTokens()).isEqualTo(64);
  }

  @Test
  void computesInItsPromptWhatAnotherHasGenerated() {
    Scheduler scheduler = new Scheduler(256, 8, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    Sequence first = sequence(prompt(1, 70), 100);
    scheduler.add(first);
    runToTheEnd(scheduler, model);
    int[] conversation = Arrays.copyOf(prompt(1, 70), 200);
    System.arraycopy(first.output(), 0, conversation, 70, 100);

    Sequence second = sequence(conversation, 1);
    scheduler.add(second);
    runToTheEnd(scheduler, model);

    assertThat(second.cachedTokens()).as("the block of prompt tokens alone").isEqualTo(64);
    assertGenerated(second, conversation);
  }

  @Test
  void computesGeneratedTokensAnewInAbsorbedForm() {
    Scheduler scheduler = new Scheduler(256, 8, 6, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 6);
    Sequence older = sequence(prompt(1, 64), 200);
    Sequence younger = sequence(prompt(2, 64), 200);
    scheduler.add(older);
    scheduler.add(younger);
    runToTheEnd(scheduler, model);

    assertThat(scheduler.preemptions()).isPositive();
    assertThat(model.mostDecodeRows()).as("several tokens of one sequence at once").isEqualTo(8);
    assertGenerated(older, prompt(1, 64));
    assertGenerated(younger, prompt(2, 64));
  }

  @Test
  void startsAgainWithAnEmptyCacheAndTheTokensItHas() {
    Scheduler scheduler = new Scheduler(256, 2, 32, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 32).runningAhead(true);
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      sequences.add(sequence(prompt(i, 70), 5));
      scheduler.add(sequences.get(i));
    }
    complete(scheduler, submit(scheduler, model));
    submit(scheduler, model).tokens();

    scheduler.restart();

    assertThat(scheduler.running()).isZero();
    assertThat(scheduler.pool().available()).isEqualTo(32);
    runToTheEnd(scheduler, model);
    for (int i = 0; i < 3; i++) {
      assertGenerated(sequences.get(i), prompt(i, 70));
    }
  }

  @Test
  void aPlanThatIsThrownAwayChangesNothing() {
    Scheduler scheduler = new Scheduler(100, 4, 16, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 16);
    Sequence first = sequence(prompt(1, 130), 3);
    Sequence same = sequence(prompt(1, 130), 3);
    scheduler.add(first);
    scheduler.add(same);
    while (!scheduler.isIdle()) {
      scheduler.plan();
      step(scheduler, model);
    }
    assertGenerated(first, prompt(1, 130));
    assertGenerated(same, prompt(1, 130));
  }

  @Test
  void halvesAStepDownToItsSequences() {
    Scheduler scheduler = new Scheduler(256, 8, 16, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 16);
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      sequences.add(sequence(prompt(i, 20), 4));
      scheduler.add(sequences.get(i));
    }
    step(scheduler, model);
    scheduler.removeIf(sequence -> sequence == sequences.get(1));
    PlannedStep whole = scheduler.plan().orElseThrow();

    List<PlannedStep> halves = whole.halves();
    assertThat(halves).hasSize(2);
    for (PlannedStep half : halves) {
      assertThat(half.sequences()).hasSize(1);
      PendingStep pending = model.submit(half.segments());
      scheduler.submitted(half);
      assertThat(complete(scheduler, pending)).isEqualTo(half.sequences());
    }
    runToTheEnd(scheduler, model);
    assertGenerated(sequences.get(0), prompt(0, 20));
    assertGenerated(sequences.get(2), prompt(2, 20));
  }

  @Test
  void namesTheSequencesWhoseLogitsAreNoNumbers() {
    Scheduler scheduler = new Scheduler(256, 8, 16, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 16);
    Sequence first = sequence(prompt(1, 20), 4);
    Sequence second = sequence(prompt(2, 20), 4);
    scheduler.add(first);
    scheduler.add(second);
    submit(scheduler, model).tokens();

    Scheduler.Completed completed = scheduler.complete(SampledTokens.of(-1, 7));

    assertThat(completed.failed()).containsExactly(first);
    assertThat(completed.grown()).containsExactly(second);
    assertThat(second.output()).containsExactly(7);
  }

  @Test
  void preemptsTheYoungestWhenBlocksRunOut() {
    // Each needs 1 block at first and 3 at the end; there are 4.
    Scheduler scheduler = new Scheduler(256, 8, 4, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 4);
    Sequence older = sequence(prompt(1, 60), 120);
    Sequence younger = sequence(prompt(2, 60), 120);
    scheduler.add(older);
    scheduler.add(younger);
    while (scheduler.preemptions() == 0) {
      step(scheduler, model);
    }
    assertThat(scheduler.running()).isEqualTo(1);
    assertThat(scheduler.waiting()).isEqualTo(1);
    int whenPreempted = younger.outputTokens();
    assertThat(whenPreempted).isPositive();

    runToTheEnd(scheduler, model);

    assertGenerated(older, prompt(1, 60));
    assertGenerated(younger, prompt(2, 60));
    assertThat(scheduler.pool().available()).isEqualTo(4);
  }

  @Test
  void keepsTheBudgetOfYoungerDecodingSequences() {
    Scheduler scheduler = new Scheduler(100, 8, 64, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    Sequence first = sequence(prompt(1, 90), 5);
    int[] sharing = prompt(1, 364);
    sharing[64] = 0;
    Sequence second = sequence(sharing, 5);
    Sequence third = sequence(prompt(2, 10), 5);
    List.of(first, second, third).forEach(scheduler::add);

    // The second waits for the first's block, so that the third is ahead of it.
    assertThat(step(scheduler, model)).containsExactly(first, third);
    PlannedStep step = scheduler.plan().orElseThrow();
    assertThat(step.segments().stream().map(Segment::count)).containsExactly(1, 1, 98);
    assertThat(step.sequences()).containsExactly(first, third, second);
  }

  @Test
  void admitsWithABlockToSpareForEveryRunningSequence() {
    Scheduler scheduler = new Scheduler(1000, 8, 6, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 6);
    for (int i = 0; i < 4; i++) {
      scheduler.add(sequence(prompt(i, 64), 64));
    }

    step(scheduler, model);
    assertThat(scheduler.running()).isEqualTo(3);
    runToTheEnd(scheduler, model);
    assertThat(scheduler.preemptions()).isZero();
  }

  @Test
  void refusesASequenceThatCanNeverFit() {
    Scheduler scheduler = new Scheduler(256, 8, 4, 64, constraint -> Optional.empty());

    assertThatThrownBy(() -> scheduler.add(sequence(prompt(1, 200), 57)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("257 tokens");
    scheduler.add(sequence(prompt(1, 200), 56));
    runToTheEnd(scheduler, new FakeLanguageModel(VOCABULARY, 4096, 4));
  }

  @Test
  void refusesResultsThatDoNotFitThePlan() {
    Scheduler scheduler = new Scheduler(256, 8, 4, 64, constraint -> Optional.empty());
    scheduler.add(sequence(prompt(1, 20), 5));
    scheduler.submitted(scheduler.plan().orElseThrow());
    scheduler.submitted(scheduler.plan().orElseThrow());

    assertThatThrownBy(scheduler::plan).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> scheduler.complete(SampledTokens.of(1, 2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("2 tokens for a step of 1 sampled rows");
  }

  /** The sizes of a random run. */
  record Setting(long seed, int budget, int maxSequences, int blocks, boolean ahead) {}

  static List<Setting> settings() {
    List<Setting> settings = new ArrayList<>();
    for (long seed = 1; seed <= 12; seed++) {
      boolean ahead = seed % 2 == 0;
      settings.add(new Setting(seed, 64, 3, 9, ahead));
      settings.add(new Setting(seed, 200, 16, 12, ahead));
      settings.add(new Setting(seed, 1, 5, 10, ahead));
      settings.add(new Setting(seed, 7, 100, 11, ahead));
      settings.add(new Setting(seed, 2048, 64, 40, ahead));
    }
    return settings;
  }

  /**
   * Random prompts with common prefixes arrive at random times, some are cancelled at random times,
   * some end at a token that nobody foresaw: what is generated is what it would be alone, within
   * the budget, and no block is left behind, a step ahead or not.
   */
  @ParameterizedTest
  @MethodSource("settings")
  void everySequenceGeneratesWhatItWouldAlone(Setting setting) {
    SplittableRandom random = new SplittableRandom(setting.seed());
    Scheduler scheduler =
        new Scheduler(
            setting.budget(),
            setting.maxSequences(),
            setting.blocks(),
            64,
            constraint -> Optional.empty());
    FakeLanguageModel model =
        new FakeLanguageModel(VOCABULARY, 100_000, setting.blocks()).runningAhead(setting.ahead());
    int capacity = setting.blocks() * 64;
    int total = setting.budget() == 1 ? 12 : 60;
    List<Sequence> alive = new ArrayList<>();
    List<int[]> prompts = new ArrayList<>();
    List<Sampling> samplings = new ArrayList<>();
    List<Sequence> all = new ArrayList<>();
    Set<Sequence> cancelled = new HashSet<>();
    Deque<PendingStep> pending = new ArrayDeque<>();
    int steps = 0;
    while (all.size() < total || !scheduler.isIdle() || !pending.isEmpty()) {
      while (all.size() < total && random.nextInt(3) > 0) {
        int maxTokens = random.nextInt(1, 150);
        int[] prompt = new int[random.nextInt(1, Math.min(450, capacity - maxTokens + 1))];
        for (int i = 0; i < prompt.length; i++) {
          prompt[i] = i % 100 == 50 ? random.nextInt(2) : i;
        }
        Sampling sampling =
            random.nextBoolean()
                ? Sampling.GREEDY
                : new Sampling(1, 0, 1, 0, random.nextLong(), 0, LogitsProcessing.NONE);
        Sequence sequence = new Sequence(prompt, maxTokens, sampling, Optional.empty());
        scheduler.add(sequence);
        all.add(sequence);
        alive.add(sequence);
        prompts.add(prompt);
        samplings.add(sampling);
      }
      if (!alive.isEmpty() && cancelled.size() < total / 3 && random.nextInt(40) == 0) {
        Sequence victim = alive.remove(random.nextInt(alive.size()));
        cancelled.add(victim);
        scheduler.removeIf(sequence -> sequence == victim);
      }
      Optional<PlannedStep> step = scheduler.plan();
      if (step.isPresent()) {
        assertThat(step.get().tokens()).isBetween(1, setting.budget());
        assertThat(scheduler.running()).isBetween(1, setting.maxSequences());
        pending.add(model.submit(step.get().segments()));
        scheduler.submitted(step.get());
      }
      if (pending.isEmpty() || (step.isPresent() && setting.ahead() && pending.size() == 1)) {
        continue;
      }
      Set<Sequence> finished = new HashSet<>(complete(scheduler, pending.remove()));
      finished.removeIf(sequence -> !hasEnded(sequence));
      scheduler.removeIf(finished::contains);
      alive.removeAll(finished);
      // Far above what is needed: a run that goes round in circles ends here.
      assertThat(++steps).isLessThan(100_000);
    }
    assertThat(model.mostDecodeRows())
        .isLessThanOrEqualTo(Math.min(setting.maxSequences(), setting.budget()));
    assertThat(scheduler.pool().available()).isEqualTo(setting.blocks());
    for (int i = 0; i < total; i++) {
      Sequence sequence = all.get(i);
      assertThat(sequence.cachedTokens()).isBetween(0, prompts.get(i).length - 1);
      assertThat(sequence.output())
          .as("sequence %d", i)
          .isEqualTo(
              FakeLanguageModel.expected(
                  VOCABULARY, prompts.get(i), sequence.outputTokens(), samplings.get(i)));
      if (!cancelled.contains(sequence)) {
        assertThat(hasEnded(sequence)).isTrue();
      }
    }
  }

  /** Whether it has all its tokens, or its last one ends it. */
  private static boolean hasEnded(Sequence sequence) {
    int[] output = sequence.output();
    return output.length == sequence.maxTokens()
        || (output.length > 0 && output[output.length - 1] % 97 == 0);
  }

  @Test
  void goesOnWithATokenThatIsNotKnownYet() {
    Scheduler scheduler = new Scheduler(256, 8, 8, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 8).runningAhead(true);
    Sequence first = sequence(prompt(1, 63), 4);
    Sequence second = sequence(prompt(2, 10), 2);
    scheduler.add(first);
    scheduler.add(second);

    PendingStep prefill = submit(scheduler, model);
    assertThat(scheduler.plan().orElseThrow().segments().stream().map(Segment::tokens))
        .containsExactly(new Segment.Tokens.Sampled(0), new Segment.Tokens.Sampled(1));
    PendingStep decode = submit(scheduler, model);
    assertThat(complete(scheduler, prefill)).containsExactly(first, second);

    // The second's last token is on its way: it computes no more.
    assertThat(scheduler.plan().orElseThrow().segments()).hasSize(1);
    PendingStep last = submit(scheduler, model);
    // The first is dropped while two of its rows are pending.
    scheduler.removeIf(sequence -> sequence == first);
    assertThat(complete(scheduler, decode)).containsExactly(second);
    assertThat(complete(scheduler, last)).isEmpty();
    assertGenerated(second, prompt(2, 10));
    scheduler.removeIf(sequence -> true);
    assertThat(scheduler.pool().available()).isEqualTo(8);
  }

  @Test
  void tinyPoolsDoPreempt() {
    Scheduler scheduler = new Scheduler(64, 16, 12, 64, constraint -> Optional.empty());
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 12);
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      sequences.add(sequence(prompt(i, 30), 300));
      scheduler.add(sequences.get(i));
    }
    List<Sequence> order = new ArrayList<>();
    while (!scheduler.isIdle()) {
      for (Sequence sequence : step(scheduler, model)) {
        if (sequence.outputTokens() == sequence.maxTokens()) {
          order.add(sequence);
        }
      }
    }
    assertThat(scheduler.preemptions()).isPositive();
    assertThat(order).as("first come, first served").isEqualTo(sequences);
    for (int i = 0; i < 16; i++) {
      assertGenerated(sequences.get(i), prompt(i, 30));
    }
  }

  /** Tables of which so many may be open. */
  private static final class FewTables {
    private final int most;
    private int open;

    FewTables(int most) {
      this.most = most;
    }

    Optional<ConstraintTable> open(Constraint constraint) {
      if (open == most) {
        return Optional.empty();
      }
      open++;
      return Optional.of(
          new ConstraintTable() {
            @Override
            public Constraint constraint() {
              return constraint;
            }

            @Override
            public void close() {
              open--;
            }
          });
    }
  }

  private static final int CLOSING = 7;

  /** Of an answer that begins after a token. */
  private static Constraint constraint() {
    return new Constraint(
        RandomAutomata.only("aa"),
        RandomAutomata.vocabulary(VOCABULARY, new Random(1)),
        OptionalInt.of(CLOSING));
  }

  @Test
  void aRowWaitsUntilThereIsRoomForWhatItIsConstrainedBy() {
    FewTables tables = new FewTables(2);
    Scheduler scheduler = new Scheduler(1000, 8, 64, 64, tables::open);
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    for (int i = 0; i < 5; i++) {
      Constraint constraint = constraint();
      scheduler.add(new Sequence(prompt(i, 10), 3, Sampling.GREEDY, Optional.of(constraint)));
    }
    int steps = 0;
    while (!scheduler.isIdle()) {
      step(scheduler, model);
      assertThat(scheduler.running()).isLessThanOrEqualTo(2);
      assertThat(tables.open).isEqualTo(scheduler.running());
      steps++;
    }
    assertThat(steps).isEqualTo(9);
  }

  /** A row's place in its answer is the host's where it knows all tokens, else the device's. */
  @Test
  void aRowGoesOnFromThePositionThatTheStepBeforeLedTo() {
    Scheduler scheduler = new Scheduler(1000, 8, 64, 64, new FewTables(9)::open);
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64).runningAhead(true);
    scheduler.add(sequence(prompt(1, 10), 9));
    Constraint constraint = constraint();
    scheduler.add(new Sequence(prompt(2, 10), 9, Sampling.GREEDY, Optional.of(constraint)));

    PlannedStep first = scheduler.plan().orElseThrow();
    PendingStep results = model.submit(first.segments());
    scheduler.submitted(first);
    PlannedStep second = scheduler.plan().orElseThrow();

    assertThat(positions(first)).containsExactly(new Segment.Position.Known(constraint.start()));
    assertThat(positions(second)).containsExactly(new Segment.Position.Sampled(1));
    results.tokens();
    scheduler.complete(SampledTokens.of(0, CLOSING));
    assertThat(positions(second.halves().get(1)))
        .containsExactly(new Segment.Position.Known(constraint.automaton().start()));
  }

  /** The least token that is chosen where the logits of all are minus infinity may not follow. */
  @Test
  void aRowThatNoTokenIsLeftForIsStuck() {
    Scheduler scheduler = new Scheduler(1000, 8, 64, 64, new FewTables(9)::open);
    FakeLanguageModel model = new FakeLanguageModel(VOCABULARY, 4096, 64);
    Constraint constraint = constraint();
    int barred = 0;
    while (constraint.automaton().advance(0, constraint.vocabulary(), barred) >= 0) {
      barred++;
    }
    Sequence sequence = new Sequence(prompt(2, 10), 9, Sampling.GREEDY, Optional.of(constraint));
    scheduler.add(sequence);
    submit(scheduler, model).tokens();
    assertThat(scheduler.complete(SampledTokens.of(CLOSING)).grown()).containsExactly(sequence);
    submit(scheduler, model).tokens();

    Scheduler.Completed completed = scheduler.complete(SampledTokens.of(barred));

    assertThat(completed.stuck()).containsExactly(sequence);
    assertThat(completed.grown()).isEmpty();
    assertThat(sequence.output()).containsExactly(CLOSING);
    assertThat(sequence.mayAnswerEnd()).isFalse();
  }

  private static List<Segment.Position> positions(PlannedStep step) {
    return step.segments().stream()
        .flatMap(segment -> segment.samples().stream())
        .flatMap(sample -> sample.constrained().stream())
        .map(Segment.Constrained::position)
        .toList();
  }
}
