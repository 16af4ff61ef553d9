package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * tiktoken.model and tekken.json, against what tiktoken and mistral-common make of the same texts
 * (src/test/tokenizers).
 */
class RankedTokenizersTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path FOLDER = Path.of("src", "test", "tokenizers");
  private static final Path MOONSHOT = FOLDER.resolve("moonshot");
  private static final Path MISTRAL = FOLDER.resolve("mistral");
  private static final int RANKS = 1500;

  @TempDir Path temporary;

  @ParameterizedTest
  @CsvSource({
    "moonshot, moonshot, PLAIN_TEXT",
    "moonshot, moonshot_parsed, PARSED",
    "mistral, mistral, PLAIN_TEXT"
  })
  void everyTextHasTheIdsOfTheFormatsOwnLibrary(
      String folder, String reference, SpecialTokens special) throws IOException {
    JsonNode cases = JSON.readTree(FOLDER.resolve("expected.json").toFile());
    assertThat(cases.size()).isGreaterThanOrEqualTo(200);
    try (Tokenizer tokenizer = TextFolder.tokenizer(FOLDER.resolve(folder))) {
      for (JsonNode expected : cases) {
        String text = expected.path("text").textValue();
        int[] ids = JSON.convertValue(expected.path(reference), int[].class);

        assertThat(tokenizer.encode(text, special)).as(text).isEqualTo(ids);
        assertThat((long) text.length()).isLessThanOrEqualTo(tokenizer.mostCharacters(ids.length));
        if (special == SpecialTokens.PLAIN_TEXT) {
          assertThat(tokenizer.decodeWhole(ids)).isEqualTo(text);
        }
      }
    }
  }

  @Test
  void mistralsBeginTokenGoesAroundARawPromptAndNothingAroundMoonshots() {
    try (Tokenizer mistral = TextFolder.tokenizer(MISTRAL);
        Tokenizer moonshot = TextFolder.tokenizer(MOONSHOT)) {
      String text = "The lazy dog: <s>[INST]<|im_end|>";

      int[] bare = mistral.encode(text, SpecialTokens.PLAIN_TEXT);
      assertThat(mistral.encodePrompt(text)).startsWith(1).endsWith(bare).hasSize(bare.length + 1);
      assertThat(moonshot.encodePrompt(text))
          .isEqualTo(moonshot.encode(text, SpecialTokens.PLAIN_TEXT));
    }
  }

  @Test
  void aChatTemplateBesideATekkenFileKnowsItsTokens() throws IOException {
    Files.copy(MISTRAL.resolve("tekken.json"), temporary.resolve("tekken.json"));
    Files.writeString(
        temporary.resolve("chat_template.jinja"),
        "{{ bos_token }}[INST]{{ messages[0].content }}[/INST]{{ eos_token }}");

    try (PromptText text = PromptText.open(temporary)) {
      List<Message> chat = List.of(new Message("user", "</s>"));
      assertThat(text.renderChat(chat)).isEqualTo("<s>[INST]</s>[/INST]</s>");
      int[] ids = text.tokenizer().encodeChat(text.template().orElseThrow(), Conversation.of(chat));
      assertThat(ids).startsWith(1, 3).endsWith(4, 2);
      assertThat(Arrays.stream(ids).filter(id -> id < 40)).containsExactly(1, 3, 4, 2);
    }
  }

  @Test
  void specialTokensAreParsedWhereTheyMayBeAndOtherwiseText() {
    try (Tokenizer mistral = TextFolder.tokenizer(MISTRAL);
        Tokenizer moonshot = TextFolder.tokenizer(MOONSHOT)) {
      assertThat(moonshot.vocabularySize()).isEqualTo(RANKS + 256);
      assertThat(moonshot.encode("[BOS]<|im_end|><|reserved_token_1505|>", SpecialTokens.PARSED))
          .containsExactly(RANKS, RANKS + 2, RANKS + 5);
      assertThat(mistral.encode("<s>[INST]<SPECIAL_39>", SpecialTokens.PARSED))
          .containsExactly(1, 3, 39);
      for (String marker : List.of("<s>", "[INST]", "<SPECIAL_39>", "<unk>")) {
        assertThat(Arrays.stream(mistral.encode(marker, SpecialTokens.PLAIN_TEXT)))
            .allMatch(id -> id >= 40);
      }
      for (String marker : List.of("[BOS]", "<|im_end|>", "<|reserved_token_1505|>")) {
        assertThat(Arrays.stream(moonshot.encode(marker, SpecialTokens.PLAIN_TEXT)))
            .allMatch(id -> id < RANKS);
      }
    }
  }

  @Test
  void aTokenizerJsonComesFirst() throws IOException {
    Path golden = Path.of("src", "test", "golden", "deepseek-v3");
    Files.copy(golden.resolve("tokenizer.json"), temporary.resolve("tokenizer.json"));
    Files.writeString(temporary.resolve("tiktoken.model"), "is not read");

    try (Tokenizer tokenizer = TextFolder.tokenizer(temporary)) {
      assertThat(tokenizer.file()).isEqualTo(temporary.resolve("tokenizer.json"));
    }
  }

  @Test
  void sentencePieceAloneSaysWhatToDo() throws IOException {
    Files.writeString(temporary.resolve("tokenizer.model"), "");

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("tokenizer.model: is SentencePiece's, which is not read")
        .hasMessageContaining("AutoTokenizer");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "IQ== 1| has the rank 1; expected the next, 0",
        "IQ== 99999999| has the rank 99999999",
        "! 0| is not base64",
        " 0| has 0 bytes; expected 1 to 512",
        "IQ==| is no token in base64, a space and its rank",
        "IQ== -1| is no token in base64, a space and its rank",
        "IQ== 0|has no token of the byte 0; expected one of each byte"
      })
  void whatIsWrongWithALineIsNamed(String lineAndProblem) throws IOException {
    String[] parts = lineAndProblem.split("\\|");
    writeConfig();
    Files.writeString(temporary.resolve("tiktoken.model"), parts[0] + "\n");

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("tiktoken.model: ")
        .hasMessageContaining(parts[1]);
  }

  @Test
  void aTokenTwiceIsNamed() throws IOException {
    writeConfig();
    Files.writeString(temporary.resolve("tiktoken.model"), "IQ== 0\nIQ== 1\n");

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .hasMessageContaining("line 2 is a token again, with rank 1");
  }

  @Test
  void tokensThatCanBeCutInTooManyWaysAreRefused() throws IOException {
    writeConfig();
    List<String> lines = new ArrayList<>();
    for (int value = 0; value < 256; value++) {
      add(lines, (byte) value);
    }
    for (int value = 0; value < 130; value++) {
      for (int length = 2; length <= 128; length++) { // 8,128 ways with each byte.
        byte[] token = new byte[length];
        Arrays.fill(token, (byte) value);
        add(lines, token);
      }
    }
    Files.write(temporary.resolve("tiktoken.model"), lines);

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .hasMessageContaining("can be cut in two in more than 1048576 ways");
  }

  private static void add(List<String> lines, byte... token) {
    lines.add(Base64.getEncoder().encodeToString(token) + " " + lines.size());
  }

  @ParameterizedTest
  @CsvSource({
    "tokenizer_class, '\"LlamaTokenizer\"', 'tokenizer_class is \"LlamaTokenizer\"'",
    "tokenizer_class, null, 'tokenizer_class is null; expected TikTokenTokenizer'",
    "added_tokens_decoder, '{\"3\": {\"content\": \"[A]\"}}', has the id 3; expected ids from 1500",
    "added_tokens_decoder, '{\"1758\": {\"content\": \"[A]\"}}', has the id 1758",
    "added_tokens_decoder, '{\"x\": {\"content\": \"[A]\"}}', has the id x",
    "added_tokens_decoder, '{\"1500\": {}}', 'added_tokens[0] is'",
    "added_tokens_decoder, '{}', bos_token is [BOS]; expected one of tiktoken.model's added_tokens"
  })
  void aConfigurationThatDoesNotFitATiktokenModelIsRefused(String key, String value, String problem)
      throws IOException {
    Files.copy(MOONSHOT.resolve("tiktoken.model"), temporary.resolve("tiktoken.model"));
    ObjectNode config =
        (ObjectNode) JSON.readTree(MOONSHOT.resolve("tokenizer_config.json").toFile());
    config.set(key, JSON.readTree(value));
    JSON.writeValue(temporary.resolve("tokenizer_config.json").toFile(), config);

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining(problem);
  }

  /** Kimi's configurations name up to 258, of which the published class reserves all. */
  @Test
  void namesMayGoTwoBeyondTheReservedIds() throws IOException {
    Files.copy(MOONSHOT.resolve("tiktoken.model"), temporary.resolve("tiktoken.model"));
    ObjectNode config =
        (ObjectNode) JSON.readTree(MOONSHOT.resolve("tokenizer_config.json").toFile());
    config.withObject("added_tokens_decoder").putObject("1757").put("content", "[LAST]");
    JSON.writeValue(temporary.resolve("tokenizer_config.json").toFile(), config);

    try (Tokenizer tokenizer = TextFolder.tokenizer(temporary)) {
      assertThat(tokenizer.encode("[LAST]<|reserved_token_1756|>", SpecialTokens.PARSED))
          .containsExactly(1757, 1756);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "/config/default_vocab_size, 40, vocab has 1500 tokens",
    "/config/default_vocab_size, 1541, vocab has 1500 tokens and config.default_vocab_size is 1541",
    "/config/default_vocab_size, '\"x\"', config.default_vocab_size is",
    "/config/default_num_special_tokens, 0, config.default_num_special_tokens is 0",
    "/special_tokens/1/rank, 40, a rank below default_num_special_tokens",
    "/config/pattern, 1, config.pattern is 1; expected a regular expression",
    "/config/pattern, '\"(a+)+b\"', pre_tokenizer.pretokenizers[0].pattern.Regex",
    "/vocab/7/rank, 8, vocab[7] has the rank 8; expected the next",
    "/vocab/7/token_bytes, '\"AA==\"', vocab[7] is a token again",
    "/special_tokens/1/token_str, '\"word\"', special_tokens is",
    "/special_tokens/1/rank, 2, a rank that no other has",
    "/special_tokens, '[]', one named <s>"
  })
  void whatIsWrongWithATekkenFileIsNamed(String place, String value, String problem)
      throws IOException {
    ObjectNode file = (ObjectNode) JSON.readTree(MISTRAL.resolve("tekken.json").toFile());
    int cut = place.lastIndexOf('/');
    String key = place.substring(cut + 1);
    ((ObjectNode) file.at(place.substring(0, cut))).set(key, JSON.readTree(value));
    JSON.writeValue(temporary.resolve("tekken.json").toFile(), file);

    assertThatThrownBy(() -> TextFolder.tokenizer(temporary))
        .isInstanceOf(TextFormatException.class)
        .hasMessageContaining("tekken.json: ")
        .hasMessageContaining(problem);
  }

  /** As published until 2024. */
  @Test
  void aTekkenFileWithoutSpecialTokensHasThoseOfItsTime() throws IOException {
    ObjectNode file = (ObjectNode) JSON.readTree(MISTRAL.resolve("tekken.json").toFile());
    file.remove("special_tokens");
    JSON.writeValue(temporary.resolve("tekken.json").toFile(), file);

    try (Tokenizer tokenizer = TextFolder.tokenizer(temporary)) {
      assertThat(tokenizer.encode("[TOOL_CONTENT]<SPECIAL_20>", SpecialTokens.PARSED))
          .containsExactly(19, 20);
    }
  }

  private void writeConfig() throws IOException {
    Files.writeString(
        temporary.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"TikTokenTokenizer\"}");
  }
}
