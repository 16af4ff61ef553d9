package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.Conversation;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationEngineTest {
  private static final int CONTEXT_WINDOW = 20_000;
  private static final GenerationDefaults DEFAULTS = GenerationDefaults.greedy(Set.of());
  private static final EngineOptions OPTIONS =
      new EngineOptions(256, 16, new CacheSize.Blocks(1), 16);

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private static Tokenizer tokenizer;

  private static ChatTemplate template;

  @BeforeAll
  static void open() {
    tokenizer = DemoText.openTokenizer();
    template = DemoText.openTemplate();
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  private static FakeLanguageModel model(int cacheBlocks) {
    return new FakeLanguageModel(DemoText.VOCABULARY, CONTEXT_WINDOW, cacheBlocks);
  }

  private static GenerationEngine engine(FakeLanguageModel model, GenerationDefaults defaults) {
    return engine(model, defaults, OPTIONS);
  }

  private static GenerationEngine engine(
      FakeLanguageModel model, GenerationDefaults defaults, EngineOptions options) {
    return new GenerationEngine(model, tokenizer, Optional.of(template), defaults, options);
  }

  private static CompletableFuture<GenerationResult> submit(
      GenerationEngine engine, GenerationRequest request) {
    return MEMORY.submit(engine::submit, request);
  }

  private static GenerationRequest request(String prompt, Map<String, String> params) {
    return new GenerationRequest(
        new Prompt.Raw(prompt), Optional.empty(), params, OverflowPolicy.ERROR);
  }

  private static int[] expected(String prompt, int count) {
    return FakeLanguageModel.expected(
        DemoText.VOCABULARY, tokenizer.encodePrompt(prompt), count, Sampling.GREEDY);
  }

  private static String expectedText(String prompt, int count) {
    return DemoText.decode(tokenizer, expected(prompt, count));
  }

  @Test
  void generatesWhatTheModelChooses() {
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      GenerationResult result =
          submit(engine, request("The archive", Map.of("max_tokens", "30"))).join();

      assertThat(result.text()).isEqualTo(expectedText("The archive", 30));
      assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
      assertThat(result.promptTokens()).isEqualTo(tokenizer.encodePrompt("The archive").length);
      assertThat(result.cachedTokens()).isZero();
      assertThat(result.outputTokens()).isEqualTo(30);
      assertThat(result.error()).isEmpty();
    }
  }

  @Test
  void takesMaxTokensFromTheOptionsWhenTheRequestSaysNone() {
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      assertThat(submit(engine, request("x", Map.of())).join().outputTokens()).isEqualTo(16);
    }
  }

  @Test
  void generatesWhatThereIsRoomFor() {
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      GenerationResult result =
          submit(engine, request("x", Map.of("max_new_tokens", "auto"))).join();
      assertThat(result.promptTokens() + result.outputTokens()).isEqualTo(20 * 64);
      assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void endsAtAnEndToken(boolean ahead) {
    int[] tokens = expected("The archive", 30);
    int end = tokens[7];
    int count = 1;
    while (tokens[count - 1] != end) {
      count++;
    }
    GenerationDefaults defaults = GenerationDefaults.greedy(Set.of(end));
    try (GenerationEngine engine = engine(model(20).runningAhead(ahead), defaults)) {
      GenerationResult result =
          submit(engine, request("The archive", Map.of("max_tokens", "30"))).join();

      assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
      assertThat(result.outputTokens()).isEqualTo(count);
      assertThat(result.text())
          .isEqualTo(DemoText.decode(tokenizer, Arrays.copyOf(tokens, count - 1)));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void endsBeforeAStopString(boolean ahead) {
    String whole = expectedText("The archive", 60);
    // From the middle, so that it spans tokens; and absent from what comes before.
    String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 6);
    try (GenerationEngine engine = engine(model(20).runningAhead(ahead), DEFAULTS)) {
      GenerationResult result =
          submit(engine, request("The archive", Map.of("max_tokens", "60", "stop", stop))).join();

      assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
      assertThat(result.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
      assertThat(result.outputTokens()).isLessThan(60);
    }
  }

  @Test
  void answersConversations() {
    Message question = new Message("user", "What is the code?");
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      GenerationResult result =
          submit(
                  engine,
                  new GenerationRequest(
                      new Prompt.Chat(List.of(question)),
                      Optional.of("Be brief."),
                      Map.of(),
                      OverflowPolicy.ERROR))
              .join();

      int[] prompt =
          tokenizer.encodeChat(
              template, Conversation.of(List.of(new Message("system", "Be brief."), question)));
      assertThat(result.promptTokens()).isEqualTo(prompt.length);
      assertThat(result.text())
          .isEqualTo(
              DemoText.decode(
                  tokenizer,
                  FakeLanguageModel.expected(DemoText.VOCABULARY, prompt, 16, Sampling.GREEDY)));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'', max_tokens, 5, EMPTY_PROMPT",
    "x, max_tokens, 0, INVALID_PARAMETER",
    "x, topk, 1, INVALID_PARAMETER",
    "x, temperature, NaN, INVALID_PARAMETER",
    "x, max_tokens, 1280, PROMPT_TOO_LONG",
    "x, max_tokens, 2147483647, PROMPT_TOO_LONG",
  })
  void aBadRowEndsInErrorAndNeverReachesTheModel(
      String prompt, String name, String value, ErrorCode code) {
    FakeLanguageModel model = model(20);
    try (GenerationEngine engine = engine(model, DEFAULTS)) {
      GenerationResult result = submit(engine, request(prompt, Map.of(name, value))).join();

      assertThat(result.finishReason()).isEqualTo(FinishReason.ERROR);
      assertThat(result.error().orElseThrow().code()).isEqualTo(code);
      assertThat(result.error().orElseThrow().message()).isNotBlank();
      assertThat(result.text()).isEmpty();
      assertThat(result.outputTokens()).isZero();
      assertThat(engine.statistics().finished()).isEqualTo(1);
    }
    assertThat(model.steps()).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void fillsTheWholeCacheIfARowNeedsIt(boolean ahead) {
    try (GenerationEngine engine = engine(model(3).runningAhead(ahead), DEFAULTS)) {
      int prompt = tokenizer.encodePrompt("x").length;
      GenerationResult result =
          submit(engine, request("x", Map.of("max_tokens", "" + (192 - prompt)))).join();
      assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
      assertThat(result.text()).isEqualTo(expectedText("x", 192 - prompt));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void findsAnEarlierPromptInTheCache(boolean ahead) {
    String prompt = "The code of the archive is 48213. ".repeat(20);
    int tokens = tokenizer.encodePrompt(prompt).length;
    try (GenerationEngine engine = engine(model(40).runningAhead(ahead), DEFAULTS)) {
      GenerationResult first = submit(engine, request(prompt, Map.of())).join();
      GenerationResult second = submit(engine, request(prompt, Map.of())).join();

      assertThat(first.cachedTokens()).isZero();
      assertThat(second.cachedTokens()).isEqualTo((tokens - 1) / 64 * 64).isPositive();
      assertThat(second.text()).isEqualTo(first.text());
    }
  }

  /** Rows of many kinds, from many threads, on a cache far too small to hold them all. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void everyRowGetsWhatItWouldGetAlone(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<GenerationRequest> requests = new ArrayList<>();
    for (int i = 0; i < 120; i++) {
      Map<String, String> params = new HashMap<>();
      params.put("max_tokens", "" + random.nextInt(1, 80));
      if (random.nextBoolean()) {
        params.put("temperature", "1");
        params.put("seed", "" + random.nextInt(3));
      }
      if (random.nextInt(4) == 0) {
        params.put("stop", "" + (char) ('a' + random.nextInt(26)));
      }
      if (random.nextInt(10) == 0) {
        params.put("top_p", "2");
      }
      String prompt = "Page " + random.nextInt(3) + " of it. " + "word ".repeat(random.nextInt(90));
      requests.add(request(prompt, params));
    }
    List<GenerationResult> alone = new ArrayList<>();
    for (GenerationRequest request : requests) {
      try (GenerationEngine engine = engine(model(8), DEFAULTS)) {
        alone.add(submit(engine, request).join());
      }
    }

    FakeLanguageModel model = model(8).runningAhead(seed % 2 == 0);
    int batchRows = List.of(1, 8, 30).get((int) seed % 3);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (GenerationEngine engine =
        engine(model, DEFAULTS, new EngineOptions(70, 12, new CacheSize.Blocks(8), 16))) {
      List<CompletableFuture<CompletableFuture<ResultBatch>>> batches = new ArrayList<>();
      for (int i = 0; i < requests.size(); i += batchRows) {
        List<GenerationRequest> batch = requests.subList(i, i + batchRows);
        batches.add(
            CompletableFuture.supplyAsync(() -> MEMORY.submit(engine::submit, batch), threads));
      }
      List<GenerationResult> results =
          batches.stream()
              .flatMap(batch -> Batches.readAndClose(batch.join().join()).stream())
              .map(Optional::get)
              .toList();
      for (int i = 0; i < requests.size(); i++) {
        GenerationResult result = results.get(i);
        GenerationResult lonely = alone.get(i);
        assertThat(result.text()).as("row %d", i).isEqualTo(lonely.text());
        assertThat(result.finishReason()).isEqualTo(lonely.finishReason());
        assertThat(result.promptTokens()).isEqualTo(lonely.promptTokens());
        assertThat(result.outputTokens()).isEqualTo(lonely.outputTokens());
        assertThat(result.error()).isEqualTo(lonely.error());
      }
      EngineStatistics statistics = engine.statistics();
      assertThat(statistics.finished()).isEqualTo(requests.size());
      assertThat(statistics.running()).isZero();
      assertThat(statistics.waiting()).isZero();
      assertThat(statistics.availableBlocks()).isEqualTo(8);
      assertThat(statistics.cacheBlocks()).isEqualTo(8);
      assertThat(statistics.outputTokens())
          .isEqualTo(alone.stream().mapToLong(GenerationResult::outputTokens).sum());
      assertThat(statistics.promptTokens())
          .isEqualTo(alone.stream().mapToLong(GenerationResult::promptTokens).sum());
      assertThat(statistics.steps()).isEqualTo(model.steps());
    } finally {
      threads.shutdown();
    }
    assertThat(model.largestStep()).isLessThanOrEqualTo(70);
  }

  @Test
  void theSeedComesFromTheRowAndTheQuery() {
    Map<String, String> seven = Map.of("temperature", "1", "seed", "7", "max_tokens", "40");
    Map<String, String> eight = Map.of("temperature", "1", "seed", "8", "max_tokens", "40");
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      String text = submit(engine, request("x", seven)).join().text();

      assertThat(submit(engine, request("x", seven)).join().text()).isEqualTo(text);
      assertThat(submit(engine, request("x", eight)).join().text()).isNotEqualTo(text);
      Map<String, String> shorter = new HashMap<>(seven);
      shorter.put("max_tokens", "10");
      assertThat(text).startsWith(submit(engine, request("x", shorter)).join().text());
    }
    assertThat(RowSeed.of(new int[] {1, 2}, 7, 0)).isNotEqualTo(RowSeed.of(new int[] {2, 1}, 7, 0));
    // Written down: a retry on another machine must find the same.
    assertThat(RowSeed.of(new int[] {1, 2, 3}, 7, 0)).isEqualTo(1867368617898080398L);
  }

  private static List<String> texts(GenerationEngine engine, Map<String, String> params) {
    try (ResultBatch results =
        MEMORY.submit(engine::submit, List.of(request("x", params))).join()) {
      return Batches.list(results, 0, "texts");
    }
  }

  @Test
  void variantsDifferAndAreReproducible() {
    Map<String, String> one = Map.of("temperature", "1", "seed", "7", "max_tokens", "40");
    Map<String, String> many = new HashMap<>(one);
    many.put("n", "5");
    List<String> variants;
    String alone;
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      alone = submit(engine, request("x", one)).join().text();
      variants = texts(engine, many);
    }
    assertThat(variants).hasSize(5).doesNotHaveDuplicates().startsWith(alone);
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      assertThat(texts(engine, many)).isEqualTo(variants);
      many.put("n", "3");
      assertThat(texts(engine, many)).isEqualTo(variants.subList(0, 3));
      many.put("seed", "8");
      assertThat(texts(engine, many)).doesNotContainAnyElementsOf(variants);
      assertThat(engine.statistics().finished()).isEqualTo(3);
    }
    // Written down: a retry on another machine must find the same.
    assertThat(RowSeed.of(new int[] {1, 2, 3}, 7, 1)).isEqualTo(7123742827877756568L);
  }

  @Test
  void greedyVariantsAreAlike() {
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      assertThat(texts(engine, Map.of("n", "3", "max_tokens", "9")))
          .containsExactly(expectedText("x", 9), expectedText("x", 9), expectedText("x", 9));
    }
  }

  @Test
  void aRefusedRowOfSeveralVariantsHasOneError() {
    String words =
        IntStream.range(0, 700)
            .mapToObj(word -> "\"word" + word + "\"")
            .collect(Collectors.joining(",", "[", "]"));
    try (GenerationEngine engine = engine(model(20), DEFAULTS)) {
      GenerationResult result =
          submit(engine, request("x", Map.of("n", "3", "bad_words", words))).join();
      assertThat(result.error().orElseThrow().code()).isEqualTo(ErrorCode.INVALID_PARAMETER);
      assertThat(result.error().orElseThrow().message()).startsWith("Too many tokens are named");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 63, 64, 65, 200, 300})
  void thePromptIsComputedOnceForAllVariants(int words) {
    int variants = 8;
    String prompt = "a ".repeat(words);
    int tokens = tokenizer.encodePrompt(prompt).length;
    Map<String, String> params = Map.of("n", "" + variants, "max_tokens", "1", "temperature", "1");
    try (GenerationEngine engine = engine(model(80), DEFAULTS)) {
      GenerationResult result = submit(engine, request(prompt, params)).join();
      EngineStatistics statistics = engine.statistics();
      int page = model(1).config().cacheShape().page();
      // The cache shares whole blocks, and the last token's logits are each variant's own.
      int ofItsOwn = tokens - (tokens - 1) / page * page;
      assertThat(statistics.computedTokens()).isEqualTo(tokens + (variants - 1L) * ofItsOwn);
      assertThat(result.promptTokens()).isEqualTo(tokens);
      assertThat(result.cachedTokens()).isZero();
      assertThat(result.outputTokens()).isEqualTo(variants);
    }
  }

  @Test
  void theModelsDefaultsHoldWhereTheRequestSaysNothing() {
    GenerationDefaults sampling = new GenerationDefaults(Set.of(), 0.7f, 0, 1, 0, 1);
    try (GenerationEngine engine = engine(model(20), sampling)) {
      assertThat(submit(engine, request("x", Map.of())).join().text())
          .isNotEqualTo(expectedText("x", 16));
      assertThat(submit(engine, request("x", Map.of("temperature", "0"))).join().text())
          .isEqualTo(expectedText("x", 16));
      assertThat(submit(engine, request("x", Map.of("temperature", "1e-30"))).join().text())
          .isEqualTo(expectedText("x", 16));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void cancellingARunningRowFreesItsBlocks(boolean ahead) {
    FakeLanguageModel model = model(200).runningAhead(ahead);
    CountDownLatch submitted = new CountDownLatch(1);
    CountDownLatch answered = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    model.beforeStep(
        () -> {
          await(submitted);
          if (answered.getCount() == 0) {
            await(cancelled);
          }
        });
    try (GenerationEngine engine = engine(model, DEFAULTS)) {
      CompletableFuture<ResultBatch> endless =
          MEMORY.submit(engine::submit, List.of(request("long", Map.of("max_tokens", "12000"))));
      CompletableFuture<GenerationResult> brief =
          submit(engine, request("short", Map.of("max_tokens", "5")));
      CompletableFuture<GenerationResult> noticed =
          brief.whenComplete((result, failure) -> answered.countDown());
      submitted.countDown();
      noticed.join();
      assertThat(engine.statistics().running()).isEqualTo(1);

      endless.cancel(true);
      cancelled.countDown();
      submit(engine, request("short", Map.of())).join();

      assertThat(engine.statistics().running()).isZero();
      assertThat(engine.statistics().availableBlocks()).isEqualTo(200);
      assertThatThrownBy(endless::join).isInstanceOf(CancellationException.class);
    }
  }

  @Test
  void cancellingAWaitingRowTakesItOutOfTheQueue() {
    FakeLanguageModel model = model(200);
    CountDownLatch cancelled = new CountDownLatch(1);
    model.beforeStep(() -> await(cancelled));
    EngineOptions oneAtATime = new EngineOptions(256, 1, new CacheSize.Blocks(1), 16);
    try (GenerationEngine engine = engine(model, DEFAULTS, oneAtATime)) {
      CompletableFuture<ResultBatch> endless =
          MEMORY.submit(engine::submit, List.of(request("long", Map.of("max_tokens", "12000"))));
      CompletableFuture<ResultBatch> waiting =
          MEMORY.submit(engine::submit, List.of(request("second", Map.of())));
      CompletableFuture<GenerationResult> third = submit(engine, request("third", Map.of()));
      waiting.cancel(true);
      endless.cancel(true);
      cancelled.countDown();

      assertThat(third.join().text()).isEqualTo(expectedText("third", 16));
      assertThat(engine.statistics().waiting()).isZero();
      assertThat(engine.statistics().finished()).isEqualTo(1);
      assertThat(engine.statistics().availableBlocks()).isEqualTo(200);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closingEndsWhatIsUnfinishedAndClosesTheModelOnce(boolean ahead) {
    FakeLanguageModel model = model(200).runningAhead(ahead);
    GenerationEngine engine = engine(model, DEFAULTS);
    CompletableFuture<GenerationResult> done = submit(engine, request("short", Map.of()));
    done.join();
    List<CompletableFuture<GenerationResult>> pending = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      pending.add(submit(engine, request("long " + i, Map.of("max_tokens", "12000"))));
    }

    engine.close();

    for (CompletableFuture<GenerationResult> future : pending) {
      assertThatThrownBy(future::join)
          .isInstanceOf(CompletionException.class)
          .hasCauseInstanceOf(EngineClosedException.class);
    }
    assertThat(done.join().error()).isEmpty();
    assertThat(model.closed()).isEqualTo(1);
    assertThatThrownBy(() -> submit(engine, request("x", Map.of())).join())
        .hasCauseInstanceOf(EngineClosedException.class);
    assertThatThrownBy(engine::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed already");
    assertThat(model.closed()).isEqualTo(1);
    assertThat(engine.statistics().availableBlocks()).isEqualTo(200);
  }

  @Test
  void cannotBeClosedOnItsOwnThread() {
    FakeLanguageModel model = model(20);
    try (GenerationEngine engine = engine(model, DEFAULTS)) {
      model.beforeStep(engine::close);

      assertThatThrownBy(() -> submit(engine, request("x", Map.of())).join())
          .hasCauseInstanceOf(EngineFailedException.class)
          .hasMessageContaining("cannot wait for itself");
    }
    assertThat(model.closed()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 1, 1, maxBatchedTokens",
    "1, 0, 1, 1, maxSequences",
    "1, 1, -1, 1, cacheBlocks",
    "1, 1, 1, 0, defaultMaxTokens"
  })
  void refusesOptionsBelowOne(int tokens, int sequences, int blocks, int most, String name) {
    assertThatThrownBy(
            () -> new EngineOptions(tokens, sequences, new CacheSize.Blocks(blocks), most))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name);
  }
}
