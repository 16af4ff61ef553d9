package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** A tokenizer_config.json, read once for the tokenizer and the chat template. Immutable. */
final class TokenizerConfig {
  private final Path file;
  private final JsonNode root;

  private TokenizerConfig(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads the file of a model folder. A missing file is treated as an empty one, or as the one that
   * the folder's tekken.json implies.
   *
   * @throws TextFormatException when the file exists and cannot be used
   */
  static TokenizerConfig read(Path folder) {
    Path file = folder.resolve("tokenizer_config.json");
    if (Files.exists(file)) {
      return new TokenizerConfig(file, TextFiles.readObject(file));
    }
    return new TokenizerConfig(
        file,
        TekkenFile.isTokenizerOf(folder)
            ? TekkenFile.configuration()
            : TextFiles.JSON.createObjectNode());
  }

  Path file() {
    return file;
  }

  /** The value of a key; a missing node where there is none. */
  JsonNode field(String key) {
    return root.path(key);
  }

  /**
   * The value of a boolean; false where it is missing.
   *
   * @throws TextFormatException when the value is not a boolean
   */
  boolean isOn(String key) {
    JsonNode value = root.path(key);
    if (!value.isMissingNode() && !value.isNull() && !value.isBoolean()) {
      throw TextFormatException.ofField(file, key, value, "true or false");
    }
    return value.asBoolean(false);
  }

  /**
   * The content of a named token, such as bos_token.
   *
   * @return empty when there is none
   * @throws TextFormatException when it is neither a string nor an object with one
   */
  Optional<String> token(String name) {
    JsonNode token = root.path(name);
    Optional<String> content = content(token);
    if (content.isEmpty() && !token.isMissingNode() && !token.isNull()) {
      throw TextFormatException.ofField(
          file, name, token, "a token: a string, or an object with its content");
    }
    return content;
  }

  /** The contents of all named tokens. */
  Map<String, String> tokens() {
    Map<String, String> tokens = new LinkedHashMap<>();
    for (Iterator<Map.Entry<String, JsonNode>> fields = root.fields(); fields.hasNext(); ) {
      Map.Entry<String, JsonNode> field = fields.next();
      if (field.getKey().endsWith("_token")) {
        content(field.getValue()).ifPresent(content -> tokens.put(field.getKey(), content));
      }
    }
    return tokens;
  }

  /** A token is written as a string, or as an object that holds one. */
  private static Optional<String> content(JsonNode token) {
    JsonNode content = token.isObject() ? token.path("content") : token;
    return content.isTextual() ? Optional.of(content.textValue()) : Optional.empty();
  }

  /**
   * The chat template, or of several the one named "default".
   *
   * @return empty when there is none
   * @throws TextFormatException when the value is something else
   */
  Optional<String> chatTemplate() {
    JsonNode template = root.path("chat_template");
    if (template.isMissingNode() || template.isNull()) {
      return Optional.empty();
    }
    if (template.isArray()) {
      template = named("default", template);
    }
    if (!template.isTextual()) {
      throw new TextFormatException(
          file, "chat_template is no string; expected one, or a list with one named default");
    }
    return Optional.of(template.textValue());
  }

  private static JsonNode named(String name, JsonNode templates) {
    for (JsonNode template : templates) {
      if (template.path("name").asText().equals(name)) {
        return template.path("template");
      }
    }
    return templates;
  }
}
