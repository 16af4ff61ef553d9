package dev.sparkmla.engine;

import static dev.sparkmla.engine.GenerationParameters.BAD_WORDS;
import static dev.sparkmla.engine.GenerationParameters.FREQUENCY_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.IGNORE_EOS;
import static dev.sparkmla.engine.GenerationParameters.LOGIT_BIAS;
import static dev.sparkmla.engine.GenerationParameters.MAX_TOKENS;
import static dev.sparkmla.engine.GenerationParameters.MIN_P;
import static dev.sparkmla.engine.GenerationParameters.MIN_TOKENS;
import static dev.sparkmla.engine.GenerationParameters.PRESENCE_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.REPETITION_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.RESPONSE_FORMAT;
import static dev.sparkmla.engine.GenerationParameters.SEED;
import static dev.sparkmla.engine.GenerationParameters.STOP;
import static dev.sparkmla.engine.GenerationParameters.STOP_TOKEN_IDS;
import static dev.sparkmla.engine.GenerationParameters.TEMPERATURE;
import static dev.sparkmla.engine.GenerationParameters.TOP_K;
import static dev.sparkmla.engine.GenerationParameters.TOP_P;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.grammar.ResponseFormat;
import dev.sparkmla.grammar.WhiteSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationParametersTest {
  @Test
  void readsEveryParameter() {
    GenerationParameters parameters =
        GenerationParameters.parse(
            Map.of(
                "max_tokens", " 512 ",
                "temperature", "0.5",
                "top_k", "40",
                "top_p", "0.9",
                "stop", "END",
                "seed", "-7"));
    GenerationParameters processing =
        GenerationParameters.parse(
            Map.of(
                "min_p", "0.05",
                "repetition_penalty", "1.1",
                "presence_penalty", "-2",
                "frequency_penalty", "2",
                "logit_bias", "{\"7\": -100, \"0\": 2.5}",
                "bad_words", "[\"a\", \"b c\"]",
                "min_tokens", "3",
                "ignore_eos", "True",
                "stop_token_ids", "[5, 6]"));

    assertThat(parameters.get(MAX_TOKENS)).contains(new TokenLimit.AtMost(512));
    assertThat(parameters.get(TEMPERATURE)).contains(0.5f);
    assertThat(parameters.get(TOP_K)).contains(40);
    assertThat(parameters.get(TOP_P)).contains(0.9f);
    assertThat(parameters.get(STOP)).contains(List.of("END"));
    assertThat(parameters.get(SEED)).contains(-7L);
    assertThat(processing.get(MIN_P)).contains(0.05f);
    assertThat(processing.get(REPETITION_PENALTY)).contains(1.1f);
    assertThat(processing.get(PRESENCE_PENALTY)).contains(-2f);
    assertThat(processing.get(FREQUENCY_PENALTY)).contains(2f);
    assertThat(processing.get(LOGIT_BIAS)).contains(Map.of(7, -100f, 0, 2.5f));
    assertThat(processing.get(BAD_WORDS)).contains(List.of("a", "b c"));
    assertThat(processing.get(MIN_TOKENS)).contains(3);
    assertThat(processing.get(IGNORE_EOS)).contains(true);
    assertThat(processing.get(STOP_TOKEN_IDS)).contains(List.of(5, 6));
  }

  @Test
  void takesOneTokenIdAlone() {
    assertThat(GenerationParameters.parse(Map.of("stop_token_ids", " 5 ")).get(STOP_TOKEN_IDS))
        .contains(List.of(5));
  }

  @Test
  void leavesOpenWhatIsNotGiven() {
    GenerationParameters parameters = GenerationParameters.parse(Map.of());

    assertThat(GenerationParameters.all())
        .allSatisfy(parameter -> assertThat(parameters.get(parameter)).isEmpty());
  }

  @Test
  void takesTheEndsOfEachRange() {
    Map<String, String> least =
        Map.of("max_tokens", "1", "temperature", "0", "top_k", "0", "seed", "" + Long.MIN_VALUE);
    assertThat(GenerationParameters.parse(least).get(SEED)).contains(Long.MIN_VALUE);
    Map<String, String> most = Map.of("max_tokens", "2147483647", "top_p", "1");
    assertThat(GenerationParameters.parse(most).get(MAX_TOKENS))
        .contains(new TokenLimit.AtMost(Integer.MAX_VALUE));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "max_tokens|0|from 1 to 2147483647",
        "max_tokens|-1|from 1 to 2147483647",
        "max_tokens|2147483648|from 1 to 2147483647",
        "max_tokens|1.5|an integer",
        "max_tokens|many|an integer",
        "max_tokens|''|an integer",
        "max_tokens|automatic|or auto",
        "max_new_tokens|0|from 1 to 2147483647",
        "include_stop|yes|true or false",
        "continue_final_message|1|true or false",
        "tools|{}|a JSON array of objects",
        "tools|[1]|a JSON array of objects",
        "tools|[|a JSON array of objects",
        "chat_template_kwargs|[]|a JSON object",
        "chat_template_kwargs|''|a JSON object",
        "chat_template_kwargs|{\"messages\": []}|without add_generation_prompt, messages",
        "skip_special_tokens|0|true or false",
        "response_white_space|tabs|compact or free",
        "logprobs|-1|an integer from 0 to 20",
        "logprobs|21|an integer from 0 to 20",
        "temperature|-0.1|≥ 0",
        "temperature|NaN|finite",
        "temperature|Infinity|finite",
        "temperature|1e99|finite",
        "temperature|warm|finite",
        "top_k|-1|from 0",
        "n|0|from 1 to 128",
        "n|129|from 1 to 128",
        "top_p|0|above 0, at most 1",
        "top_p|1.01|above 0, at most 1",
        "top_p|NaN|above 0, at most 1",
        "seed|9223372036854775808|from -9223372036854775808 to 9223372036854775807",
        "stop|''|not empty",
        "min_p|1.5|from 0 to 1",
        "repetition_penalty|0|above 0",
        "presence_penalty|-2.1|from -2 to 2",
        "frequency_penalty|2.1|from -2 to 2",
        "logit_bias|[1]|a JSON object",
        "logit_bias|{\"x\": 1}|a JSON object",
        "logit_bias|{\"-1\": 1}|a JSON object",
        "logit_bias|{\"1\": \"2\"}|a JSON object",
        "logit_bias|{\"1\": 101}|a JSON object",
        "bad_words|''|not empty",
        "min_tokens|-1|from 0",
        "ignore_eos|1|true or false",
        "stop_token_ids|-1|a token id",
        "stop_token_ids|[1.5]|a token id",
        "stop_token_ids|[[1]]|a token id",
      })
  void refusesWhatIsOutOfRange(String name, String value, String range) {
    assertThatThrownBy(() -> GenerationParameters.parse(Map.of(name, value)))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageContaining(" is '" + value + "'")
        .hasMessageContaining(range);
  }

  @Test
  void refusesAnUnknownName() {
    assertThatThrownBy(() -> GenerationParameters.parse(Map.of("max_length", "5")))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessage(
            "There is no parameter 'max_length'; known are max_tokens, temperature, top_k,"
                + " top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty,"
                + " logit_bias, bad_words, min_tokens, ignore_eos, stop_token_ids, stop,"
                + " include_stop, skip_special_tokens, response_format, response_white_space,"
                + " logprobs, seed, chat_template_kwargs, continue_final_message, tools and n.");
  }

  @ParameterizedTest
  @ValueSource(strings = {"max_tokens", "max_new_tokens", "max_completion_tokens"})
  void knowsTheNamesOfOtherEngines(String name) {
    assertThat(GenerationParameters.parse(Map.of(name, "7")).get(MAX_TOKENS))
        .contains(new TokenLimit.AtMost(7));
    assertThat(GenerationParameters.parse(Map.of(name, " auto ")).get(MAX_TOKENS))
        .contains(new TokenLimit.Auto());
  }

  @Test
  void refusesAParameterByTwoOfItsNames() {
    assertThatThrownBy(
            () -> GenerationParameters.parse(Map.of("max_tokens", "7", "max_new_tokens", "7")))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessage(
            "max_tokens is given by more than one of its names, max_tokens among them; give it"
                + " once.");
  }

  @Test
  void readsFlagsAsSqlAndPythonWriteThem() {
    GenerationParameters parameters =
        GenerationParameters.parse(
            Map.of("include_stop", " True ", "skip_special_tokens", "false"));
    assertThat(parameters.get(GenerationParameters.INCLUDE_STOP)).contains(true);
    assertThat(parameters.get(GenerationParameters.SKIP_SPECIAL_TOKENS)).contains(false);
  }

  @Test
  void readsResponseFormats() {
    assertThat(GenerationParameters.parse(Map.of()).responseFormat()).isEmpty();
    Map<String, String> named =
        Map.of("response_format", "choice: [\"a\"]", "response_white_space", " Free ");
    assertThat(GenerationParameters.parse(named).responseFormat())
        .contains(ResponseFormat.parse("choice: [\"a\"]", WhiteSpace.FREE));
    GenerationParameters wrong = GenerationParameters.parse(Map.of("response_format", "regex: (a"));
    assertThatThrownBy(wrong::responseFormat)
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageStartingWith("response_format cannot be used: ");
  }

  @Test
  void areWhatThePageOfTheFunctionsSays() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "sql.md"));
    assertThat(page)
        .as(
            "docs/sql.md is stale: run the main class %s with its path",
            ParametersDoc.class.getName())
        .isEqualTo(ParametersDoc.table().update(page));
    assertThatThrownBy(() -> ParametersDoc.table().update("# Another page"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the page lacks the line");
  }

  /** The job's options and the Python function's documentation cannot be made from the table. */
  @Test
  void areWhatTheJobAndThePythonFunctionName() throws IOException {
    String options =
        Files.readString(
            Path.of("..", "jobs/src/main/java/dev/sparkmla/jobs", "GenerateOptions.java"));
    String functions = Files.readString(Path.of("..", "python", "spark_mla", "functions.py"));
    List<String> names = GenerationParameters.all().stream().map(p -> p.name()).toList();
    // Both have it beside the other parameters, as the argument that gives a typed value.
    List<String> inMaps =
        names.stream().filter(name -> !name.equals(RESPONSE_FORMAT.name())).toList();
    assertThat(namesIn(options, "put\\(\"([a-z_]+)\"")).hasSameElementsAs(inMaps);
    assertThat(namesIn(options, "names = \"--([a-z-]+)\"").map(name -> name.replace('-', '_')))
        .containsAll(names);
    assertThat(namesIn(functions.split("params\\n +`", 2)[1].split("\\. ", 2)[0], "([a-z_]+)"))
        .hasSameElementsAs(inMaps);
  }

  private static Stream<String> namesIn(String text, String pattern) {
    return Pattern.compile(pattern).matcher(text).results().map(match -> match.group(1));
  }

  @Test
  void readsSeveralStopsAsJson() {
    assertThat(GenerationParameters.parse(Map.of("stop", "[\"a\", \"\\n\\n\", \"[\"]")).get(STOP))
        .contains(List.of("a", "\n\n", "["));
    assertThat(GenerationParameters.parse(Map.of("stop", "[]")).get(STOP)).contains(List.of());
    assertThat(GenerationParameters.parse(Map.of("stop", " [x")).get(STOP))
        .contains(List.of(" [x"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "[\"a\"", "[1]", "[\"\"]", "[null]", "[\"a\"] b", "[[\"a\"]]"})
  void refusesOtherJson(String stop) {
    assertThatThrownBy(() -> GenerationParameters.parse(Map.of("stop", stop)))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageContaining(stop)
        .hasMessageContaining("JSON array");
  }

  @Test
  void takesAWholeNumberThatIsWrittenWithAFraction() {
    GenerationParameters parameters =
        GenerationParameters.parse(Map.of("max_tokens", "4.0", "seed", "1.0E10"));

    assertThat(parameters.get(MAX_TOKENS)).contains(new TokenLimit.AtMost(4));
    assertThat(parameters.get(SEED)).contains(10_000_000_000L);
  }
}
