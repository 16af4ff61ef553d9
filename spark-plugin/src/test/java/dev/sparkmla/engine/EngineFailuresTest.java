package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.DeviceLostException;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What fails, fails alone: rows, steps, batches, engines, and the memory of each. */
class EngineFailuresTest {
  private static final int BLOCKS = 2000;
  private static final int NEW = 12;
  private static final GenerationDefaults DEFAULTS = GenerationDefaults.greedy(Set.of());
  private static final String BAD = "~";

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private static Tokenizer tokenizer;

  @BeforeAll
  static void open() {
    tokenizer = DemoText.openTokenizer();
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  private static FakeLanguageModel model(boolean ahead) {
    return new FakeLanguageModel(DemoText.VOCABULARY, 20_000, BLOCKS).runningAhead(ahead);
  }

  private static GenerationEngine engine(FakeLanguageModel model) {
    return engine(model, 1024);
  }

  private static GenerationEngine engine(FakeLanguageModel model, int maxSequences) {
    return new GenerationEngine(
        model,
        tokenizer,
        Optional.empty(),
        DEFAULTS,
        new EngineOptions(4096, maxSequences, new CacheSize.Blocks(1), NEW));
  }

  private static GenerationRequest request(String prompt, Map<String, String> params) {
    return new GenerationRequest(
        new Prompt.Raw(prompt), Optional.empty(), params, OverflowPolicy.ERROR);
  }

  private static List<GenerationRequest> requests(int count, Predicate<Integer> bad) {
    return IntStream.range(0, count)
        .mapToObj(row -> request((bad.test(row) ? BAD : "row ") + row, Map.of()))
        .toList();
  }

  /** Whether tokens are those of a prompt that begins with {@link #BAD}, and so many more. */
  private static Predicate<int[]> bad(int generated) {
    int first = tokenizer.encodePrompt(BAD)[0];
    return tokens ->
        tokens[0] == first && tokens.length >= generated + tokenizer.encodePrompt(BAD + "0").length;
  }

  private static String expected(GenerationRequest request) {
    int[] prompt = tokenizer.encodePrompt(((Prompt.Raw) request.prompt()).text());
    return DemoText.decode(
        tokenizer, FakeLanguageModel.expected(DemoText.VOCABULARY, prompt, NEW, Sampling.GREEDY));
  }

  private static void assertAnswered(
      List<GenerationRequest> requests, List<Optional<GenerationResult>> results) {
    assertThat(results).hasSameSizeAs(requests);
    for (int row = 0; row < requests.size(); row++) {
      GenerationResult result = results.get(row).orElseThrow();
      assertThat(result.error()).as("row %d", row).isEmpty();
      assertThat(result.text()).isEqualTo(expected(requests.get(row)));
    }
  }

  private static void assertAnsweredButFor(
      int badRow,
      ErrorCode code,
      String message,
      List<GenerationRequest> requests,
      List<Optional<GenerationResult>> results) {
    GenerationResult failed = results.get(badRow).orElseThrow();
    assertThat(failed.finishReason()).isEqualTo(FinishReason.ERROR);
    assertThat(failed.error().map(GenerationError::code)).contains(code);
    assertThat(failed.error().orElseThrow().message()).contains(message);
    assertThat(failed.promptTokens()).isPositive();
    List<GenerationRequest> others = new ArrayList<>(requests);
    List<Optional<GenerationResult>> answers = new ArrayList<>(results);
    others.remove(badRow);
    answers.remove(badRow);
    assertAnswered(others, answers);
  }

  private static List<Optional<GenerationResult>> answers(
      GenerationEngine engine, List<GenerationRequest> requests) {
    return Batches.readAndClose(MEMORY.submit(engine::submit, requests).join());
  }

  private static void assertIdle(GenerationEngine engine) {
    assertThat(engine.statistics().running()).isZero();
    assertThat(engine.statistics().waiting()).isZero();
    assertThat(engine.statistics().availableBlocks()).isEqualTo(BLOCKS);
  }

  @ParameterizedTest
  @CsvSource({"false, 0", "false, 5", "true, 0", "true, 5"})
  void aRowWithoutNumbersEndsAlone(boolean ahead, int generated) {
    List<GenerationRequest> requests = requests(7, row -> row == 3);
    try (GenerationEngine engine = engine(model(ahead).spoiling(bad(generated)))) {
      List<Optional<GenerationResult>> results = answers(engine, requests);
      assertAnsweredButFor(3, ErrorCode.NUMERICAL_ERROR, "NaN", requests, results);
      assertThat(results.get(3).orElseThrow().outputTokens()).isEqualTo(generated);
      assertThat(engine.statistics().finished()).isEqualTo(7);
      assertIdle(engine);
      assertAnswered(requests(2, row -> false), answers(engine, requests(2, row -> false)));
    }
  }

  /** However many rows are beside it, and wherever it stands among them. */
  @ParameterizedTest
  @CsvSource({
    "false, 1, 0, 0",
    "false, 2, 1, 0",
    "false, 700, 0, 0",
    "false, 700, 699, 3",
    "true, 1, 0, 3",
    "true, 9, 4, 0",
    "true, 700, 0, 3",
    "true, 700, 350, 0"
  })
  void aRowThatCannotBeComputedEndsAlone(boolean ahead, int rows, int badRow, int generated) {
    List<GenerationRequest> requests = requests(rows, row -> row == badRow);
    try (GenerationEngine engine = engine(model(ahead).refusing(bad(generated)))) {
      List<Optional<GenerationResult>> results = answers(engine, requests);
      assertAnsweredButFor(
          badRow, ErrorCode.COMPUTE_ERROR, "the step of 1 segments is refused", requests, results);
      assertThat(engine.statistics().finished()).isEqualTo(rows);
      assertIdle(engine);
      assertAnswered(requests(2, row -> false), answers(engine, requests(2, row -> false)));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void rowsThatCanBeComputedApartDoNotEndInError(boolean ahead) {
    FakeLanguageModel model = model(ahead);
    List<GenerationRequest> requests = requests(30, row -> false);
    model.refusingMoreSegmentsThan(7);
    try (GenerationEngine engine = engine(model)) {
      assertAnswered(requests, answers(engine, requests));
      assertIdle(engine);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void tenFailuresInARowFailTheEngine(boolean ahead) {
    FakeLanguageModel model = model(ahead).refusing(tokens -> true);
    GenerationEngine engine = engine(model);
    CompletableFuture<ResultBatch> results =
        MEMORY.submit(engine::submit, requests(40, row -> false));
    assertThatThrownBy(results::join)
        .hasCauseInstanceOf(EngineFailedException.class)
        .hasMessageContaining("10 steps in a row failed, the last with: the step of");
    assertThat(model.steps()).isZero();
    engine.close();
  }

  @ParameterizedTest
  @CsvSource({"false, 1", "false, 5", "true, 1", "true, 5"})
  void rowsWhoseResultsAreLostAreComputedAgain(boolean ahead, int losses) {
    FakeLanguageModel model = model(ahead);
    AtomicInteger calls = new AtomicInteger();
    model.beforeResults(
        () -> {
          int call = calls.incrementAndGet();
          if (call % 4 == 3 && call / 4 < losses) {
            throw new ComputeException("lost");
          }
        });
    List<GenerationRequest> requests = requests(20, row -> false);
    try (GenerationEngine engine = engine(model, 8)) {
      assertAnswered(requests, answers(engine, requests));
      assertIdle(engine);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRowWhoseResultsAreLostAloneEndsInError(boolean ahead) {
    List<GenerationRequest> requests = requests(1, row -> true);
    try (GenerationEngine engine = engine(model(ahead).losing(bad(3)))) {
      assertAnsweredButFor(
          0, ErrorCode.COMPUTE_ERROR, "are lost", requests, answers(engine, requests));
      assertIdle(engine);
      assertAnswered(requests(2, row -> false), answers(engine, requests(2, row -> false)));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void resultsThatAreLostAgainAndAgainFailTheEngine(boolean ahead) {
    GenerationEngine engine = engine(model(ahead).losing(bad(3)));
    CompletableFuture<ResultBatch> results =
        MEMORY.submit(engine::submit, requests(6, row -> row == 2));
    assertThatThrownBy(results::join)
        .hasCauseInstanceOf(EngineFailedException.class)
        .hasMessageContaining("10 steps in a row failed");
    engine.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aLostDeviceFailsTheEngine(boolean ahead) {
    FakeLanguageModel model = model(ahead);
    GenerationEngine engine = engine(model);
    CountDownLatch running = new CountDownLatch(3);
    RuntimeException cause = new DeviceLostException("the device is gone", null);
    model.beforeStep(
        () -> {
          running.countDown();
          if (running.getCount() == 0) {
            throw cause;
          }
        });
    CompletableFuture<ResultBatch> first =
        MEMORY.submit(engine::submit, List.of(request("long", Map.of("max_tokens", "12000"))));
    CompletableFuture<ResultBatch> second =
        MEMORY.submit(engine::submit, List.of(request("other", Map.of("max_tokens", "12000"))));
    for (CompletableFuture<ResultBatch> future : List.of(first, second)) {
      assertThatThrownBy(future::join)
          .hasCauseInstanceOf(EngineFailedException.class)
          .hasRootCause(cause)
          .hasMessageContaining("the device is gone");
    }
    // Bad rows too: nobody should take the engine for alive.
    for (String prompt : List.of("later", "")) {
      assertThatThrownBy(() -> answers(engine, List.of(request(prompt, Map.of()))))
          .hasCauseInstanceOf(EngineFailedException.class);
    }
    assertIdle(engine);
    engine.close();
    assertThat(model.closed()).isEqualTo(1);
  }

  /** The thread has an error to end with, and meets another as it ends. */
  @Test
  void everyBatchIsAnsweredWhateverThrowsAtTheEnd() {
    FakeLanguageModel model = model(true);
    GenerationEngine engine = engine(model);
    CountDownLatch steps = new CountDownLatch(3);
    model.beforeStep(steps::countDown);
    model.beforeResults(
        () -> {
          if (steps.getCount() == 0) {
            throw new StackOverflowError("too deep");
          }
        });
    CompletableFuture<ResultBatch> results =
        MEMORY.submit(engine::submit, List.of(request("long", Map.of("max_tokens", "12000"))));
    assertThatThrownBy(results::join)
        .hasCauseInstanceOf(EngineFailedException.class)
        .hasRootCauseInstanceOf(StackOverflowError.class);
    assertThatThrownBy(engine::close).hasRootCauseMessage("too deep");
    assertThat(model.closed()).as("freed all the same").isEqualTo(1);
  }

  @Test
  void everyBatchIsAnsweredWhereArrivalsCannotBeTakenIn() {
    GenerationQueue queue = new GenerationQueue();
    Scheduler scheduler = new Scheduler(64, 4, 1, 64, constraint -> Optional.empty());
    GenerationLoop loop =
        new GenerationLoop(model(false), scheduler, queue, new EngineCounters(scheduler));
    List<GenerationBatch> batches = new ArrayList<>();
    List<Generation> rows = new ArrayList<>();
    for (int maxTokens : new int[] {5, 100, 5}) {
      GenerationBatch batch =
          new GenerationBatch(1, MEMORY.allocator(), new RowCounters(), ResultBatch::close);
      queue.open(batch);
      batches.add(batch);
      rows.add(generation(batch, maxTokens));
    }
    queue.add(rows);

    loop.run();

    assertThat(batches)
        .allSatisfy(
            batch ->
                assertThatThrownBy(() -> batch.future().join())
                    .hasCauseInstanceOf(EngineFailedException.class)
                    .hasMessageContaining("101 tokens do not fit"));
  }

  /** The first row of a batch. */
  private static Generation generation(GenerationBatch batch, int maxTokens) {
    return new Generation(
        batch,
        0,
        0,
        new Sequence(new int[] {1}, maxTokens, Sampling.GREEDY, Optional.empty()),
        new OutputText(
            () -> tokenizer.newDecoder(false),
            Thinking.of(tokenizer, Optional.empty()),
            false,
            new StoppedText(List.of(), false)),
        Set.of(),
        new Vocabulary(tokenizer, DemoText.VOCABULARY));
  }

  /** The intake tokenizes while a batch is cancelled, and hands its rows over afterwards. */
  @Test
  void rowsThatArriveAfterTheirBatchWasCancelledAreNotComputed() throws InterruptedException {
    FakeLanguageModel model = model(false);
    GenerationQueue queue = new GenerationQueue();
    Scheduler scheduler = new Scheduler(64, 4, BLOCKS, 64, constraint -> Optional.empty());
    EngineCounters counters = new EngineCounters(scheduler);
    GenerationBatch cancelled =
        new GenerationBatch(1, MEMORY.allocator(), counters.rows(), ResultBatch::close);
    GenerationBatch other =
        new GenerationBatch(1, MEMORY.allocator(), counters.rows(), ResultBatch::close);
    queue.open(cancelled);
    queue.open(other);
    cancelled.future().cancel(true);
    assertThat(queue.take(false).orElseThrow().someAbandoned()).isTrue();
    queue.add(List.of(generation(cancelled, 12_000)));
    queue.add(List.of(generation(other, 5)));
    CompletableFuture<Void> ended =
        other.future().whenComplete((all, failure) -> queue.end(new EngineClosedException()));

    new GenerationLoop(model, scheduler, queue, counters).run();

    assertThat(ended).isCompleted();
    assertThat(counters.read(0).computedTokens()).isEqualTo(5);
    assertThat(counters.read(0).finished()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void rowsOfABatchWhoseResultsCannotBeConsumedAreNotComputedFurther(boolean ahead) {
    try (GenerationEngine engine = engine(model(ahead))) {
      CompletableFuture<Void> failing =
          engine.submit(
              Batches.of(
                  MEMORY.allocator(),
                  List.of(
                      request("short", Map.of("max_tokens", "1")),
                      request("long", Map.of("max_tokens", "12000")))),
              results -> {
                results.close();
                throw new IllegalStateException("said by the test");
              });
      assertThatThrownBy(failing::join).hasRootCauseMessage("said by the test");
      answers(engine, requests(1, row -> false));
      assertIdle(engine);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closingWaitsForStepsInFlight(boolean ahead) {
    FakeLanguageModel model = model(ahead);
    GenerationEngine engine = engine(model);
    CountDownLatch stepping = new CountDownLatch(4);
    model.beforeStep(stepping::countDown);
    CompletableFuture<ResultBatch> results =
        MEMORY.submit(engine::submit, List.of(request("long", Map.of("max_tokens", "12000"))));
    await(stepping);
    engine.close(); // The model says so if it is closed under a step.
    assertThat(model.closed()).isEqualTo(1);
    assertThatThrownBy(results::join).hasCauseInstanceOf(EngineClosedException.class);
  }

  @Test
  void resultsThatFindNoMemoryFailTheirBatchAlone() {
    try (GenerationEngine engine = engine(model(false));
        BufferAllocator small = MEMORY.allocator().newChildAllocator("small", 0, 16 << 10)) {
      RequestBatch requests =
          Batches.of(small, List.of(request("x", Map.of("max_tokens", "12000"))));
      assertThatThrownBy(() -> Batches.submit(engine::submit, requests).join())
          .hasCauseInstanceOf(OutOfMemoryException.class);
      assertThat(small.getAllocatedMemory()).isZero();
      assertIdle(engine);
      assertAnswered(requests(2, row -> false), answers(engine, requests(2, row -> false)));
    }
  }

  /** The results are the caller's though it cancels; or nobody's, and freed by the engine. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6})
  void cancellingAtAnyTimeLeavesNothingBehind(int seed) {
    FakeLanguageModel model = model(seed % 2 == 0);
    CountDownLatch steps = new CountDownLatch(2 * seed);
    model.beforeStep(steps::countDown);
    try (GenerationEngine engine = engine(model)) {
      CompletableFuture<ResultBatch> results =
          MEMORY.submit(engine::submit, requests(4, row -> row == 5));
      await(steps);
      if (!results.cancel(true)) {
        results.join().close();
      }
    }
  }

  @Test
  void rowsWithoutAPromptAreNullAndBadRowsDoNotReachTheModel() {
    FakeLanguageModel model = model(false);
    try (GenerationEngine engine = engine(model)) {
      RequestBatch requests =
          Batches.ofNullable(
              MEMORY.allocator(),
              Arrays.asList(
                  Optional.empty(),
                  Optional.of(request("", Map.of())),
                  Optional.of(request("x", Map.of("top_p", "2")))));
      List<Optional<GenerationResult>> results =
          Batches.readAndClose(Batches.submit(engine::submit, requests).join());
      assertThat(results.get(0)).isEmpty();
      assertThat(results.get(1).flatMap(GenerationResult::error).map(GenerationError::code))
          .contains(ErrorCode.EMPTY_PROMPT);
      assertThat(results.get(2).flatMap(GenerationResult::error).map(GenerationError::code))
          .contains(ErrorCode.INVALID_PARAMETER);
      assertThat(Batches.readAndClose(MEMORY.submit(engine::submit, List.of()).join())).isEmpty();
      assertIdle(engine);
    }
    assertThat(model.steps()).isZero();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
