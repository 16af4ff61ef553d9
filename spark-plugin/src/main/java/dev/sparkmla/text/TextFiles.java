package dev.sparkmla.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.json.JsonProblem;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads the tokenizer's files; whatever is wrong with one is a {@link TextFormatException}. */
final class TextFiles {
  static final ObjectMapper JSON =
      new ObjectMapper(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  // A vocabulary has 160,000 names, each once: interning them saves nothing.
                  .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  /**
   * In bytes. Published tokenizers have up to some 20 MB; a larger file than this is refused
   * unread.
   */
  private static final long LARGEST_FILE = 256L << 20;

  private TextFiles() {}

  static String read(Path file) {
    try {
      long size = Files.size(file);
      if (size > LARGEST_FILE) {
        throw new TextFormatException(
            file, "has " + size + " bytes; expected at most " + LARGEST_FILE);
      }
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new TextFormatException(file, "is missing", e);
    } catch (CharacterCodingException e) {
      throw new TextFormatException(file, "is not UTF-8", e);
    } catch (IOException e) {
      throw new TextFormatException(file, "cannot be read: " + e, e);
    }
  }

  static ObjectNode readObject(Path file) {
    try {
      JsonNode root = JSON.readTree(read(file));
      if (!(root instanceof ObjectNode object)) {
        throw new TextFormatException(file, "is not a JSON object");
      }
      return object;
    } catch (JsonProcessingException e) {
      throw new TextFormatException(file, "is not JSON: " + JsonProblem.of(e), e);
    }
  }
}
