package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sparkmla.text.LinearPattern.Unproved;
import dev.sparkmla.text.LinearPattern.Work;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * Checks the components of a tokenizer.json that the native library runs. Each must have a type
 * that is known not to end the process for any text, with valid fields, patterns that are proved to
 * take little work, and ids of existing tokens. The package's description says why.
 */
final class TokenizerComponents {
  /** How deep components may be nested; published ones are nested two deep. */
  private static final int DEEPEST = 8;

  private static final Set<String> BEHAVIORS =
      Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

  private final Path file;
  private final IntPredicate known;
  private Work work = Work.LINEAR;
  private boolean shortens;

  /** Checks one component of a kind, such as a normalizer, by its type. */
  @FunctionalInterface
  private interface Check {
    void check(String type, String field, JsonNode part);
  }

  private TokenizerComponents(Path file, IntPredicate known) {
    this.file = file;
    this.known = known;
  }

  /**
   * Checks all components.
   *
   * @param root the object that the file holds
   * @param known whether an id has a token
   * @throws TextFormatException naming the field, its value and what was expected
   */
  static TokenizerComponents check(Path file, JsonNode root, IntPredicate known) {
    TokenizerComponents components = new TokenizerComponents(file, known);
    components.each("normalizer", root, "normalizers", components::normalizer);
    components.each("pre_tokenizer", root, "pretokenizers", components::preTokenizer);
    components.each("post_processor", root, "processors", components::postProcessor);
    components.each("decoder", root, "decoders", components::decoder);
    return components;
  }

  /** The work that the most expensive of the patterns takes. */
  Work work() {
    return work;
  }

  /** Whether a normalizer may shorten a text by any factor. */
  boolean shortens() {
    return shortens;
  }

  /** Checks a component, or those of a Sequence. */
  private void each(String field, JsonNode root, String list, Check check) {
    JsonNode part = root.path(field);
    if (!part.isMissingNode() && !part.isNull()) {
      each(field, part, list, check, 1);
    }
  }

  private void each(String field, JsonNode part, String list, Check check, int depth) {
    String type = text(field + ".type", part.path("type"));
    if (!type.equals("Sequence")) {
      check.check(type, field, part);
      return;
    }
    if (depth == DEEPEST || !part.path(list).isArray()) {
      throw wrong(field + "." + list, part.path(list), "a list, at most " + DEEPEST + " deep");
    }
    for (int i = 0; i < part.path(list).size(); i++) {
      String name = field + "." + list + "[" + i + "]";
      each(name, part.path(list).get(i), list, check, depth + 1);
    }
  }

  private void normalizer(String type, String field, JsonNode part) {
    switch (type) {
      case "NFD", "NFKD", "Lowercase" -> {}
      case "NFC", "NFKC" -> shortens = true;
      case "Prepend" -> text(field + ".prepend", part.path("prepend"));
      case "Replace" -> {
        shortens = true;
        pattern(field, part);
        text(field + ".content", part.path("content"));
      }
      case "Strip" -> {
        shortens = true;
        flag(field + ".strip_left", part.path("strip_left"));
        flag(field + ".strip_right", part.path("strip_right"));
      }
      default -> throw unsupported(field, type);
    }
  }

  private void preTokenizer(String type, String field, JsonNode part) {
    switch (type) {
      case "Split" -> {
        pattern(field, part);
        flag(field + ".invert", part.path("invert"));
        behavior(field, part);
      }
      case "ByteLevel" -> byteLevel(field, part);
      case "Digits" -> flag(field + ".individual_digits", part.path("individual_digits"));
      case "Punctuation" -> behavior(field, part);
      case "Metaspace" -> metaspace(field, part);
      case "Whitespace", "WhitespaceSplit" -> {}
      default -> throw unsupported(field, type);
    }
  }

  private void postProcessor(String type, String field, JsonNode part) {
    switch (type) {
      case "ByteLevel" -> byteLevel(field, part);
      case "TemplateProcessing" -> template(field, part);
      default -> throw unsupported(field, type);
    }
  }

  private void decoder(String type, String field, JsonNode part) {
    switch (type) {
      case "ByteLevel" -> byteLevel(field, part);
      case "ByteFallback", "Fuse" -> {}
      case "Metaspace" -> metaspace(field, part);
      case "Replace" -> {
        pattern(field, part);
        text(field + ".content", part.path("content"));
      }
      case "Strip" -> strip(field, part);
      default -> throw unsupported(field, type);
    }
  }

  private void byteLevel(String field, JsonNode part) {
    flag(field + ".add_prefix_space", part.path("add_prefix_space"));
    flag(field + ".trim_offsets", part.path("trim_offsets"));
    if (part.has("use_regex")) {
      flag(field + ".use_regex", part.path("use_regex"));
    }
  }

  private void metaspace(String field, JsonNode part) {
    String replacement = text(field + ".replacement", part.path("replacement"));
    if (replacement.codePointCount(0, replacement.length()) != 1) {
      throw wrong(field + ".replacement", part.path("replacement"), "one character");
    }
  }

  /**
   * Refuses to strip characters at the end: the library does not check whether a token has so many.
   */
  private void strip(String field, JsonNode part) {
    String content = text(field + ".content", part.path("content"));
    if (content.codePointCount(0, content.length()) != 1) {
      throw wrong(field + ".content", part.path("content"), "one character");
    }
    JsonNode start = part.path("start");
    if (!start.isInt() || start.intValue() < 0 || start.intValue() > 16) {
      throw wrong(field + ".start", start, "an integer in 0 to 16");
    }
    if (!part.path("stop").isInt() || part.path("stop").intValue() != 0) {
      throw wrong(field + ".stop", part.path("stop"), "0");
    }
  }

  private void behavior(String field, JsonNode part) {
    if (!BEHAVIORS.contains(text(field + ".behavior", part.path("behavior")))) {
      throw wrong(field + ".behavior", part.path("behavior"), "one of " + BEHAVIORS);
    }
  }

  private void pattern(String field, JsonNode part) {
    JsonNode pattern = part.path("pattern");
    if (pattern.has("String")) {
      if (text(field + ".pattern.String", pattern.path("String")).isEmpty()) {
        throw wrong(field + ".pattern.String", pattern.path("String"), "a text");
      }
      return;
    }
    String expression = text(field + ".pattern.Regex", pattern.path("Regex"));
    try {
      Work found = LinearPattern.prove(expression);
      work = found.compareTo(work) > 0 ? found : work;
    } catch (Unproved e) {
      throw wrong(
          field + ".pattern.Regex",
          pattern.path("Regex"),
          "a pattern that takes little work on any text, but " + e.getMessage());
    }
  }

  /**
   * Checks the template of tokens around a text: each item is a sequence or a token that the
   * template describes.
   */
  private void template(String field, JsonNode part) {
    JsonNode tokens = part.path("special_tokens");
    if (!tokens.isObject()) {
      throw wrong(field + ".special_tokens", tokens, "an object");
    }
    for (Map.Entry<String, JsonNode> token : tokens.properties()) {
      specialToken(field + ".special_tokens." + token.getKey(), token.getValue());
    }
    items(field + ".single", part.path("single"), tokens, Set.of("A"));
    items(field + ".pair", part.path("pair"), tokens, Set.of("A", "B"));
  }

  private void specialToken(String field, JsonNode token) {
    text(field + ".id", token.path("id"));
    JsonNode ids = token.path("ids");
    if (!ids.isArray() || ids.isEmpty() || token.path("tokens").size() != ids.size()) {
      throw wrong(field, token, "a list of ids and a list of as many tokens");
    }
    for (JsonNode id : ids) {
      if (!id.isInt() || !known.test(id.intValue())) {
        throw wrong(field + ".ids", ids, "ids of tokens that the file has");
      }
    }
    for (JsonNode content : token.path("tokens")) {
      text(field + ".tokens", content);
    }
  }

  private void items(String field, JsonNode items, JsonNode tokens, Set<String> sequences) {
    if (!items.isArray()) {
      throw wrong(field, items, "a list");
    }
    for (JsonNode item : items) {
      JsonNode kind = item.has("SpecialToken") ? item.get("SpecialToken") : item.path("Sequence");
      String id = text(field, kind.path("id"));
      boolean found = item.has("SpecialToken") ? tokens.has(id) : sequences.contains(id);
      if (item.size() != 1 || !found || !kind.path("type_id").isInt()) {
        throw wrong(field, item, "a sequence or one of special_tokens, each with a type_id");
      }
    }
  }

  private String text(String field, JsonNode value) {
    if (!value.isTextual()) {
      throw wrong(field, value, "a string");
    }
    return value.textValue();
  }

  private void flag(String field, JsonNode value) {
    if (!value.isBoolean()) {
      throw wrong(field, value, "true or false");
    }
  }

  private TextFormatException unsupported(String field, String type) {
    return new TextFormatException(
        file, field + " has the type " + type + ", which is not supported");
  }

  private TextFormatException wrong(String field, JsonNode value, String expected) {
    return TextFormatException.ofField(file, field, value, expected);
  }
}
