package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.model.CacheSize;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What {@code response_format} makes of a model's answers, alone and with the other parameters that
 * end an answer or forbid tokens. At temperature 2 the model would say almost anything.
 */
class ConstrainedAnswersTest {
  private static final String DATE = "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
  private static final String WORDS = "[a-zà-ÿ]{1,12}( [a-z]{2,9}){0,3}[.!]";

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private static ComputeBackend backend;
  private static ModelFolder folder;
  private static GenerationEngine engine;

  @BeforeAll
  static void open() {
    backend = ComputeBackends.cpu(2);
    folder = new ModelFolder(DemoText.FOLDER);
    engine =
        GenerationEngine.open(
            folder, backend, new EngineOptions(256, 8, new CacheSize.Blocks(64), 64));
  }

  @AfterAll
  static void close() {
    engine.close();
    folder.close();
    backend.close();
  }

  private static GenerationRequest request(String prompt, Map<String, String> params) {
    Map<String, String> all = new HashMap<>(Map.of("temperature", "2"));
    all.putAll(params);
    return new GenerationRequest(
        new Prompt.Raw(prompt), Optional.empty(), all, OverflowPolicy.ERROR);
  }

  private static CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    return MEMORY.submit(engine::submit, request);
  }

  private static GenerationResult answer(Map<String, String> params) {
    return submit(request("When was the bridge built?", params)).join();
  }

  /** Rows of different forms and without any are computed together, and again alone. */
  @Test
  void everyAnswerHasItsForm() {
    Random random = new Random(5);
    List<String> patterns = List.of(DATE, WORDS, "(yes|no|I do not know)", "");
    List<GenerationRequest> requests = new ArrayList<>();
    for (int row = 0; row < 80; row++) {
      String pattern = patterns.get(row % patterns.size());
      Map<String, String> params = new HashMap<>(Map.of("max_tokens", "100", "seed", "" + row));
      if (!pattern.isEmpty()) {
        params.put("response_format", "regex: " + pattern);
      }
      requests.add(request("Question " + random.nextInt(1000) + "?", params));
    }
    List<CompletableFuture<GenerationResult>> futures =
        requests.stream().map(ConstrainedAnswersTest::submit).toList();
    List<GenerationResult> together = futures.stream().map(CompletableFuture::join).toList();
    for (int row = 0; row < requests.size(); row++) {
      GenerationResult result = together.get(row);
      String pattern = patterns.get(row % patterns.size());
      if (!pattern.isEmpty()) {
        assertThat(result.finishReason()).as(result.toString()).isEqualTo(FinishReason.STOP);
        assertThat(result.text()).as("row %d", row).matches(pattern);
      }
    }
    for (int row = 0; row < 12; row++) {
      assertThat(submit(requests.get(row)).join().text())
          .as("row %d alone", row)
          .isEqualTo(together.get(row).text());
    }
  }

  @ParameterizedTest
  @CsvSource({"false, 0", "true, 0", "false, 50", "true, 50"})
  void aWholeAnswerEndsWhateverTheLeastNumberOfTokens(String ignoreEos, String minTokens) {
    GenerationResult result =
        answer(
            Map.of(
                "response_format",
                "choice: [\"a stone bridge\", \"a wooden one\"]",
                "ignore_eos",
                ignoreEos,
                "min_tokens",
                minTokens));
    assertThat(result.text()).isIn("a stone bridge", "a wooden one");
    assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(result.outputTokens()).isLessThan(50);
  }

  /** Where the answer may end and may go on, it goes on. */
  @Test
  void anAnswerThatMayGoOnHasTheLeastNumberOfTokens() {
    GenerationResult result =
        answer(Map.of("response_format", "regex: a+", "min_tokens", "20", "max_tokens", "40"));
    assertThat(result.outputTokens()).isGreaterThanOrEqualTo(20);
    assertThat(result.text()).matches("a+");
  }

  @Test
  void anAnswerThatDoesNotFitEndsByItsLength() {
    GenerationResult result =
        answer(Map.of("response_format", "regex: [0-9]{300}", "max_tokens", "10"));
    assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    assertThat(result.text()).matches("[0-9]{10,}");
    assertThat(result.outputTokens()).isEqualTo(10);
  }

  @Test
  void stopTextsEndAnAnswerBeforeItIsWhole() {
    GenerationResult result =
        answer(Map.of("response_format", "regex: [0-9]{4};[0-9]{4}", "stop", ";"));
    assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(result.text()).matches("[0-9]{4}");
  }

  /** A token that ends the row may be one that the answer needs. */
  @Test
  void stopTokensEndAnAnswerBeforeItIsWhole() {
    int[] semicolon = folder.text().tokenizer().encodePrompt(";");
    GenerationResult result =
        answer(
            Map.of(
                "response_format",
                "regex: [0-9]{4};[0-9]{4}",
                "stop_token_ids",
                "" + semicolon[semicolon.length - 1]));
    assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
    assertThat(result.text()).matches("[0-9]{4}");
  }

  @Test
  void badWordsLeaveTheOtherAnswers() {
    for (int seed = 0; seed < 10; seed++) {
      GenerationResult result =
          answer(
              Map.of(
                  "response_format",
                  "choice: [\"1\", \"2\"]",
                  "bad_words",
                  "1",
                  "seed",
                  "" + seed));
      assertThat(result.text()).isEqualTo("2");
    }
  }

  @Test
  void biasesChooseAmongTheAnswers() {
    int[] two = folder.text().tokenizer().encodePrompt("2");
    for (int seed = 0; seed < 10; seed++) {
      GenerationResult result =
          answer(
              Map.of(
                  "response_format",
                  "choice: [\"1\", \"2\"]",
                  "logit_bias",
                  "{\"" + two[two.length - 1] + "\": 100}",
                  "seed",
                  "" + seed));
      assertThat(result.text()).isEqualTo("2");
    }
  }

  @Test
  void anAnswerThatBadWordsForbidIsAnError() {
    GenerationResult result = answer(Map.of("response_format", "regex: 1", "bad_words", "1"));
    assertThat(result.error().map(GenerationError::code)).contains(ErrorCode.INVALID_PARAMETER);
    assertThat(result.error().orElseThrow().message())
        .startsWith("After 0 tokens, response_format needs a token that other parameters forbid");
  }

  @Test
  void aFormatThatCannotBeUsedIsTheRowsError() {
    GenerationResult result = answer(Map.of("response_format", "regex: (1"));
    assertThat(result.error().map(GenerationError::code)).contains(ErrorCode.INVALID_PARAMETER);
    assertThat(result.error().orElseThrow().message())
        .startsWith("response_format cannot be used: ");
  }
}
