package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.model.Weights;
import dev.sparkmla.text.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The engine over the trained demo model: a wrong mask, page, position or merge is a wrong answer.
 */
class DemoModelTest {
  private static final Path DOCUMENTS = Path.of("..", "jobs", "sample-data", "documents.jsonl");
  private static final ObjectMapper JSON = new ObjectMapper();

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private static ComputeBackend backend;
  private static ModelFolder model;
  private static List<Sample> samples;

  /** A document of the samples, with the conversation that ends in a question about it. */
  private record Sample(String document, List<Message> conversation, String expected) {
    Sample(JsonNode row) {
      this(
          row.required("document").textValue(),
          DemoText.conversation(row.required("prompt")),
          row.required("expected").textValue());
    }

    /** Each question of the conversation, asked alone about the same document. */
    List<Sample> questions() {
      List<Sample> questions = new ArrayList<>();
      for (int i = 0; i < conversation.size(); i++) {
        Message message = conversation.get(i);
        if (message.role().equals("user")) {
          String question = message.content().replace(document, "").strip();
          String answer =
              i + 1 < conversation.size() ? conversation.get(i + 1).content() : expected;
          questions.add(
              new Sample(
                  document, List.of(new Message("user", document + "\n\n" + question)), answer));
        }
      }
      return questions;
    }

    GenerationRequest request(int maxTokens) {
      return new GenerationRequest(
          new Prompt.Chat(conversation),
          Optional.empty(),
          Map.of("max_tokens", "" + maxTokens),
          OverflowPolicy.ERROR);
    }
  }

  @BeforeAll
  static void open() throws IOException {
    backend = ComputeBackends.cpu(2);
    model = new ModelFolder(DemoText.FOLDER);
    samples = new ArrayList<>();
    for (String line : Files.readAllLines(DOCUMENTS)) {
      samples.add(new Sample(JSON.readTree(line)));
    }
    samples.sort(Comparator.comparing(sample -> sample.document().length()));
  }

  @AfterAll
  static void close() {
    model.close();
    backend.close();
  }

  private static void assertAnswered(GenerationEngine engine, List<Sample> asked) {
    List<CompletableFuture<GenerationResult>> futures =
        asked.stream().map(sample -> MEMORY.submit(engine::submit, sample.request(32))).toList();
    for (int i = 0; i < asked.size(); i++) {
      GenerationResult result = futures.get(i).join();
      assertThat(result.text()).isEqualTo(asked.get(i).expected());
      assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
    }
  }

  /**
   * Chunks of many sizes and offsets; one sequence at a time and many; a roomy and a full cache.
   */
  @ParameterizedTest
  @CsvSource({"64, 3, 100", "200, 12, 200", "2048, 12, 200", "2048, 12, 24", "333, 1, 24"})
  void answersDocuments(int maxBatchedTokens, int maxSequences, int cacheBlocks) {
    EngineOptions options =
        new EngineOptions(maxBatchedTokens, maxSequences, new CacheSize.Blocks(cacheBlocks), 32);
    try (GenerationEngine engine = GenerationEngine.open(model, backend, options)) {
      assertAnswered(engine, samples.subList(0, 5));
      assertThat(engine.statistics().availableBlocks()).isEqualTo(cacheBlocks);
    }
  }

  @Test
  void answersSeveralQuestionsAboutOneDocumentFromOnePrefix() {
    List<Sample> asked = new ArrayList<>();
    for (Sample sample : samples.subList(0, 12)) {
      if (sample.questions().size() > 1) {
        asked.addAll(sample.questions());
      }
    }
    assertThat(asked.size()).isGreaterThanOrEqualTo(6);
    EngineOptions options = new EngineOptions(300, 16, new CacheSize.Blocks(400), 32);
    try (GenerationEngine engine = GenerationEngine.open(model, backend, options)) {
      assertAnswered(engine, asked);
      EngineStatistics statistics = engine.statistics();
      // Of n questions to a document, n - 1 find all of it but what is left of a block.
      assertThat(statistics.cachedTokens()).isGreaterThan(statistics.promptTokens() / 3);
      assertThat(statistics.computedTokens())
          .isEqualTo(
              statistics.promptTokens()
                  - statistics.cachedTokens()
                  + statistics.outputTokens()
                  - asked.size());
    }
  }

  /**
   * An older sequence takes the blocks of a younger one before that has its first token: its prompt
   * is computed again, and answered all the same.
   */
  @Test
  void answersAfterPreemption() {
    Sample older = samples.get(0);
    Sample younger = samples.get(4);
    int blocks;
    try (GenerationEngine engine =
        GenerationEngine.open(
            model, backend, new EngineOptions(2048, 2, new CacheSize.Blocks(100), 32))) {
      blocks =
          Stream.of(older, younger)
              .mapToInt(
                  sample ->
                      MEMORY.submit(engine::submit, sample.request(1)).join().promptTokens() / 64
                          + 1)
              .sum();
    }
    // Both fit at first; the older grows by three blocks while the younger's prompt creeps along.
    EngineOptions options = new EngineOptions(8, 2, new CacheSize.Blocks(blocks + 1), 32);
    GenerationDefaults endless = GenerationDefaults.greedy(Set.of());
    try (Weights weights = model.openWeights();
        GenerationEngine engine =
            new GenerationEngine(
                MlaTransformer.load(model.config(), weights, backend, options.cacheSize()),
                model.text().tokenizer(),
                model.text().template(),
                endless,
                options)) {
      CompletableFuture<GenerationResult> first = MEMORY.submit(engine::submit, older.request(200));
      CompletableFuture<EngineStatistics> whenFirstEnded =
          first.thenApply(result -> engine.statistics());
      CompletableFuture<GenerationResult> second =
          MEMORY.submit(engine::submit, younger.request(24));

      assertThat(first.join().text()).startsWith(older.expected());
      assertThat(second.join().text()).startsWith(younger.expected());
      assertThat(whenFirstEnded.join().preemptions()).isPositive();
      assertThat(whenFirstEnded.join().promptTokens()).isEqualTo(first.join().promptTokens());
    }
  }

  @Test
  void samplesTheSameTokensAloneAndInABatch() {
    EngineOptions options = new EngineOptions(256, 32, new CacheSize.Blocks(300), 32);
    List<GenerationRequest> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      requests.add(
          new GenerationRequest(
              new Prompt.Raw(samples.get(i % 3).document().substring(0, 100 + 37 * (i % 8))),
              Optional.empty(),
              Map.of("temperature", "1", "seed", "" + i, "max_tokens", "16"),
              OverflowPolicy.ERROR));
    }
    try (GenerationEngine engine = GenerationEngine.open(model, backend, options)) {
      List<String> alone =
          requests.stream().map(r -> MEMORY.submit(engine::submit, r).join().text()).toList();
      List<CompletableFuture<GenerationResult>> together =
          requests.stream().map(r -> MEMORY.submit(engine::submit, r)).toList();
      assertThat(together.stream().map(future -> future.join().text())).isEqualTo(alone);
      assertThat(new HashSet<>(alone)).hasSizeGreaterThan(8);
    }
  }

  @Test
  void refusesATokenizerBeyondTheVocabulary(@TempDir Path folder) throws IOException {
    copyModel(folder);
    ObjectNode config = (ObjectNode) JSON.readTree(folder.resolve("config.json").toFile());
    JSON.writeValue(folder.resolve("config.json").toFile(), config.put("vocab_size", 800));

    EngineOptions options = new EngineOptions(64, 1, new CacheSize.Blocks(10), 32);
    try (ModelFolder broken = new ModelFolder(folder)) {
      assertThatThrownBy(() -> GenerationEngine.open(broken, backend, options))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("tokenizer.json")
          .hasMessageContaining("800");
    }
  }

  @Test
  void refusesAFolderWithoutWeights(@TempDir Path folder) throws IOException {
    copyModel(folder);
    Files.delete(folder.resolve("model.safetensors"));

    EngineOptions options = new EngineOptions(64, 1, new CacheSize.Blocks(10), 32);
    try (ModelFolder broken = new ModelFolder(folder)) {
      assertThatThrownBy(() -> GenerationEngine.open(broken, backend, options))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("safetensors");
    }
  }

  private static void copyModel(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(DemoText.FOLDER)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
  }
}
