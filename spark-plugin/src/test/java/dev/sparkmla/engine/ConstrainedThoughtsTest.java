package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A response format after a model's thoughts, through a whole engine. The model is a golden
 * checkpoint whose last two tokens are the markers.
 */
class ConstrainedThoughtsTest {
  private static final Path GOLDEN = Path.of("src", "test", "golden", "deepseek-v3");
  private static final List<String> MARKERS = List.of("<think>", "</think>");
  private static final int OPENING = 318;
  private static final int CLOSING = 319;
  private static final String CHOICE = "choice: [\"aye\", \"nay\"]";

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  @TempDir private static Path temporary;
  private static ComputeBackend backend;
  private static ModelFolder folder;
  private static GenerationEngine engine;

  @BeforeAll
  static void open() throws IOException {
    for (String file : List.of("config.json", "model.safetensors", "generation_config.json")) {
      Files.copy(GOLDEN.resolve(file), temporary.resolve(file));
    }
    Files.copy(GOLDEN.resolve("tokenizer_config.json"), temporary.resolve("tokenizer_config.json"));
    Files.writeString(temporary.resolve("tokenizer.json"), tokenizer());
    backend = ComputeBackends.cpu(2);
    folder = new ModelFolder(temporary);
    engine =
        GenerationEngine.open(
            folder, backend, new EngineOptions(64, 8, new CacheSize.Blocks(16), 64));
  }

  @AfterAll
  static void close() {
    engine.close();
    folder.close();
    backend.close();
  }

  /** The markers take the ids of the two tokens that were merged last. */
  private static String tokenizer() throws IOException {
    ObjectMapper json = new ObjectMapper();
    ObjectNode tokenizer =
        (ObjectNode) json.readTree(Files.readString(GOLDEN.resolve("tokenizer.json")));
    ObjectNode model = (ObjectNode) tokenizer.get("model");
    ObjectNode vocabulary = (ObjectNode) model.get("vocab");
    ArrayNode merges = (ArrayNode) model.get("merges");
    for (int i = 0; i < MARKERS.size(); i++) {
      int id = OPENING + i;
      vocabulary.properties().removeIf(entry -> entry.getValue().intValue() == id);
      vocabulary.put(MARKERS.get(i), id);
      merges.remove(merges.size() - 1);
      tokenizer
          .withArray("added_tokens")
          .addObject()
          .put("id", id)
          .put("content", MARKERS.get(i))
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", false);
    }
    return tokenizer.toString();
  }

  private static GenerationRequest request(Map<String, String> params) {
    Map<String, String> all =
        new HashMap<>(Map.of("temperature", "2", "response_format", CHOICE, "max_tokens", "48"));
    all.putAll(params);
    return new GenerationRequest(
        new Prompt.Raw("Is it? <think>"), Optional.empty(), all, OverflowPolicy.ERROR);
  }

  private static GenerationResult answer(Map<String, String> params) {
    return MEMORY.submit(engine::submit, request(params)).join();
  }

  private static String bias(int closing) {
    return "{\"" + CLOSING + "\": " + closing + "}";
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "1", "2"})
  void theAnswerBeginsWhereThoughtsClose(String temperature) {
    GenerationResult result = answer(Map.of("logit_bias", bias(100), "temperature", temperature));
    assertThat(result.finishReason()).as(result.toString()).isEqualTo(FinishReason.STOP);
    assertThat(result.reasoning()).contains("");
    assertThat(result.text()).isIn("aye", "nay");
  }

  @Test
  void thoughtsThatNeverCloseEndByTheirLength() {
    GenerationResult result = answer(Map.of("logit_bias", bias(-100)));
    assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(result.outputTokens()).isEqualTo(48);
    assertThat(result.text()).isEmpty();
    assertThat(result.reasoning().orElseThrow()).isNotEmpty();
  }

  @Test
  void thoughtsThatCloseWithTheLastTokenHaveNoAnswer() {
    GenerationResult result = answer(Map.of("logit_bias", bias(100), "max_tokens", "1"));
    assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(result.text()).isEmpty();
    assertThat(result.reasoning()).contains("");
  }

  /** Whatever the thoughts are, and although the cache has too little room for all rows. */
  @Test
  void answersAreTheSameTogetherAndAlone() {
    List<GenerationRequest> requests =
        IntStream.range(0, 40)
            .mapToObj(
                row ->
                    request(
                        row % 4 == 3
                            ? Map.of("seed", "" + row, "response_format", "json")
                            : Map.of("seed", "" + row, "logit_bias", bias(4))))
            .toList();
    List<CompletableFuture<GenerationResult>> together =
        requests.stream().map(each -> MEMORY.submit(engine::submit, each)).toList();
    List<GenerationResult> results = together.stream().map(CompletableFuture::join).toList();
    int whole = 0;
    for (int row = 0; row < requests.size(); row++) {
      GenerationResult result = results.get(row);
      assertThat(result.error()).isEmpty();
      if (result.finishReason() == FinishReason.STOP && row % 4 != 3) {
        whole++;
        assertThat(result.text()).as("row %d", row).isIn("aye", "nay");
      }
      if (row % 8 == 0) {
        GenerationResult alone = MEMORY.submit(engine::submit, requests.get(row)).join();
        assertThat(alone.text()).isEqualTo(result.text());
        assertThat(alone.reasoning()).isEqualTo(result.reasoning());
      }
    }
    assertThat(whole).isPositive();
  }
}
