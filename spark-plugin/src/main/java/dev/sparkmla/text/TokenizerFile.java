package dev.sparkmla.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What of a tokenizer.json is wanted in Java: its vocabulary's extent and its added tokens. The
 * native library reads the rest.
 */
final class TokenizerFile {
  /**
   * A token that is found in a text before the model splits it.
   *
   * @param special whether its owner calls it special: it marks structure and leaves no text
   */
  record AddedToken(int id, String content, boolean special) {
    /** Whether it may mark structure: not a lone character or a run of spaces. */
    boolean canMark() {
      return special
          || (content.length() > 2 && content.chars().noneMatch(Character::isWhitespace));
    }
  }

  private final Path file;
  private final JsonNode root;
  private final JsonNode vocabulary;
  private final List<AddedToken> added = new ArrayList<>();

  private TokenizerFile(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
    this.vocabulary = root.path("model").path("vocab");
  }

  static TokenizerFile read(Path file) {
    TokenizerFile tokenizer = new TokenizerFile(file, TextFiles.readObject(file));
    if (!tokenizer.vocabulary.isContainerNode()) {
      throw new TextFormatException(file, "lacks model.vocab");
    }
    Set<String> contents = new HashSet<>();
    for (JsonNode token : tokenizer.root.path("added_tokens")) {
      String content = token.path("content").asText("");
      if (!token.path("id").isInt() || token.path("id").intValue() < 0 || content.isEmpty()) {
        throw new TextFormatException(
            file, "has the added token " + token + "; expected an id and a content");
      }
      if (contents.add(content)) {
        tokenizer.added.add(
            new AddedToken(
                token.get("id").intValue(), content, token.path("special").asBoolean(false)));
      }
    }
    return tokenizer;
  }

  List<AddedToken> added() {
    return added;
  }

  /** The largest id of any token. */
  int largestId() {
    long largest = vocabulary.isArray() ? vocabulary.size() - 1 : -1;
    if (vocabulary.isObject()) {
      for (JsonNode id : vocabulary) {
        largest = Math.max(largest, id.asLong(-1));
      }
    }
    for (AddedToken token : added) {
      largest = Math.max(largest, token.id());
    }
    if (largest < 0 || largest >= Integer.MAX_VALUE) {
      throw new TextFormatException(file, "has " + largest + " as its largest token id");
    }
    return (int) largest;
  }

  /** The id of a token by its content. */
  OptionalInt id(String content) {
    for (AddedToken token : added) {
      if (token.content().equals(content)) {
        return OptionalInt.of(token.id());
      }
    }
    return vocabulary.isObject() && vocabulary.path(content).isInt()
        ? OptionalInt.of(vocabulary.get(content).intValue())
        : OptionalInt.empty();
  }

  NativeTokenizer load() {
    return load(root);
  }

  /** Loads the tokenizer with added tokens that are found by another content than their own. */
  NativeTokenizer loadRenamed(Map<String, String> contents) {
    // The library numbers added tokens in their order, those the model knows excepted. Renamed ones
    // that the model knew would push the others: they go last.
    ObjectNode renamed = root.deepCopy();
    List<JsonNode> kept = new ArrayList<>();
    List<JsonNode> last = new ArrayList<>();
    Set<String> known = modelTokens(contents.keySet());
    for (Iterator<JsonNode> tokens = renamed.path("added_tokens").iterator(); tokens.hasNext(); ) {
      ObjectNode token = (ObjectNode) tokens.next();
      String content = token.get("content").textValue();
      token.put("content", contents.getOrDefault(content, content));
      (known.contains(content) ? last : kept).add(token);
    }
    kept.addAll(last);
    renamed.putArray("added_tokens").addAll(kept);
    return load(renamed);
  }

  private Set<String> modelTokens(Set<String> contents) {
    Set<String> known = new HashSet<>();
    if (vocabulary.isObject()) {
      contents.stream().filter(vocabulary::has).forEach(known::add);
    } else {
      for (JsonNode piece : vocabulary) {
        if (contents.contains(piece.path(0).asText())) {
          known.add(piece.path(0).asText());
        }
      }
    }
    return known;
  }

  private NativeTokenizer load(JsonNode json) {
    try {
      return NativeTokenizer.of(TextFiles.JSON.writeValueAsString(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    } catch (RuntimeException e) {
      throw new TextFormatException(
          file, "is refused by the tokenizer library: " + e.getMessage(), e);
    }
  }
}
