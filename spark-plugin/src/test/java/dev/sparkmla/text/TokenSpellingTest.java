package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.policy.TokenBytes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenSpellingTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path GOLDEN = Path.of("src", "test", "golden", "deepseek-v3");
  private static final String LLAMA =
      """
      {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
      """;

  @TempDir private Path temporary;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "golden/deepseek-v3",
        "golden/minicpm3",
        "golden/mistral-small-4",
        "tokenizers/moonshot",
        "tokenizers/mistral"
      })
  void theBytesOfATextsTokensAreTheText(String folder) {
    try (Tokenizer tokenizer = TextFolder.tokenizer(Path.of("src", "test").resolve(folder))) {
      TokenBytes bytes = tokenizer.tokenBytes(tokenizer.vocabularySize());
      for (String text :
          new String[] {"{\"a\": [1, -2.5e3]}", "Grüße 🙂 東京", "a\u0000\n\t\r  b", "<|user|>x"}) {
        int[] ids = tokenizer.encode(text, SpecialTokens.PLAIN_TEXT);

        assertThat(joined(bytes, ids)).isEqualTo(text);
        assertThat(tokenizer.decodeWhole(ids)).isEqualTo(text);
      }
    }
  }

  @Test
  void specialTokensAndPaddingHaveNoBytes() {
    try (Tokenizer tokenizer = TextFolder.tokenizer(GOLDEN)) {
      TokenBytes bytes = tokenizer.tokenBytes(tokenizer.vocabularySize() + 2);

      assertThat(bytes.vocabulary()).isEqualTo(tokenizer.vocabularySize() + 2);
      int last = tokenizer.vocabularySize() + 1;
      assertThat(IntStream.of(0, 1, 2, 4, last).map(bytes::length)).containsOnly(0);
      assertThat(joined(bytes, 3)).isEqualTo("<|user|>");
    }
  }

  @Test
  void byteFallbackAndSpacesOfSentencePiece() throws IOException {
    TokenBytes bytes = spelled(LLAMA, "\u2581the", "<0xE6>", "<0xe6", "a<0x41>", "\u2581", null);

    assertThat(joined(bytes, 0)).isEqualTo(" the");
    assertThat(bytes.length(1)).isEqualTo(1);
    assertThat(bytes.at(1, 0)).isEqualTo((byte) 0xE6);
    assertThat(joined(bytes, 2, 3, 4)).isEqualTo("<0xe6a<0x41> ");
    assertThat(bytes.length(5)).isZero();
  }

  @Test
  void metaspace() throws IOException {
    String decoder = "{\"type\": \"Metaspace\", \"replacement\": \"_\"}";

    assertThat(joined(spelled(decoder, "_a_"), 0)).isEqualTo(" a ");
  }

  @Test
  void anAddedTokenThatIsNotOfBytesIsItsText() throws IOException {
    TokenBytes bytes = spelled("{\"type\": \"ByteLevel\"}", "Ġa", "東", "é");

    assertThat(joined(bytes, 0, 1)).isEqualTo(" a東");
    assertThat(bytes.at(2, 0)).isEqualTo((byte) 0xE9);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "null",
        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a+\"}, \"content\": \"b\"}",
        "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}",
        "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": \"ByteFallback\"}]}"
      })
  void otherDecodersGiveTokensNoBytesOfTheirOwn(String decoder) throws IOException {
    assertThat(TokenSpelling.of(JSON.readTree(decoder), new String[] {"a"})).isEmpty();
  }

  @Test
  void aTokenizerWithoutBytesSaysSo() throws IOException {
    ObjectNode json = (ObjectNode) JSON.readTree(GOLDEN.resolve("tokenizer.json").toFile());
    json.putNull("decoder");
    Files.writeString(temporary.resolve("tokenizer.json"), json.toString());

    try (Tokenizer tokenizer = TextFolder.tokenizer(temporary)) {
      assertThatThrownBy(() -> tokenizer.tokenBytes(1000))
          .isInstanceOf(TextFormatException.class)
          .hasMessageContaining("tokens no bytes of their own");
    }
  }

  private static TokenBytes spelled(String decoder, String... tokens) throws IOException {
    JsonNode parsed = JSON.readTree(decoder);
    Optional<TokenBytes> bytes = TokenSpelling.of(parsed, tokens);
    return bytes.orElseThrow();
  }

  private static String joined(TokenBytes bytes, int... ids) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    for (int id : ids) {
      for (int i = 0; i < bytes.length(id); i++) {
        text.write(bytes.at(id, i));
      }
    }
    return text.toString(StandardCharsets.UTF_8);
  }
}
