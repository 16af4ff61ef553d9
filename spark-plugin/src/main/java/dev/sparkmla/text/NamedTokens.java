package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The tokens that tokenizer_config.json gives names to, such as bos_token. */
final class NamedTokens {
  private NamedTokens() {}

  /** A token's content, which is written as a string or as an object that holds it. */
  static Optional<String> content(JsonNode token) {
    JsonNode content = token.isObject() ? token.path("content") : token;
    return content.isTextual() ? Optional.of(content.textValue()) : Optional.empty();
  }

  /** All of them by name. */
  static Map<String, String> all(JsonNode config) {
    Map<String, String> tokens = new LinkedHashMap<>();
    for (Iterator<Map.Entry<String, JsonNode>> fields = config.fields(); fields.hasNext(); ) {
      Map.Entry<String, JsonNode> field = fields.next();
      if (field.getKey().endsWith("_token")) {
        content(field.getValue()).ifPresent(content -> tokens.put(field.getKey(), content));
      }
    }
    return tokens;
  }
}
