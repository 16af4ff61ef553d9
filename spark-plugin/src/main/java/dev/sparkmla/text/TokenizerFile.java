package dev.sparkmla.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.policy.TokenBytes;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A tokenizer.json that was read, or converted from another file, and has been checked, because the
 * native library that runs it ends the process where it meets something unexpected. It also knows
 * the size of the vocabulary and the added tokens. Immutable.
 */
final class TokenizerFile {
  /**
   * A token that is found in a text before the model splits the text.
   *
   * @param special whether the file calls it special: it marks structure and has no text
   * @param strips whether it includes the white space beside it
   */
  record AddedToken(int id, String content, boolean special, boolean strips) {
    /** Whether it may mark structure: it is neither a single character nor a run of spaces. */
    boolean canMark() {
      return special
          || (content.length() > 2 && content.chars().noneMatch(Character::isWhitespace));
    }
  }

  /** Far above every vocabulary; it bounds the arrays indexed by id. */
  private static final int MOST_TOKENS = 1 << 24;

  private final Path file;
  private final ObjectNode root;
  private final JsonNode vocabulary;
  private final List<AddedToken> added = new ArrayList<>();
  private final BitSet ids = new BitSet();
  private final TokenizerComponents components;

  /**
   * Reads and checks the tokenizer of a model folder: its tokenizer.json; without one, its
   * tiktoken.model or tekken.json, converted in memory.
   *
   * @throws TextFormatException when it is missing, or has a part that might make the native
   *     library end the process
   */
  static TokenizerFile open(Path folder, TokenizerConfig config) {
    Path json = folder.resolve("tokenizer.json");
    Path tiktoken = folder.resolve("tiktoken.model");
    Path tekken = folder.resolve("tekken.json");
    Path sentencePiece = folder.resolve("tokenizer.model");
    if (!Files.exists(json)) {
      if (Files.exists(tiktoken)) {
        return new TokenizerFile(tiktoken, TiktokenFile.read(tiktoken, config));
      }
      if (Files.exists(tekken)) {
        return new TokenizerFile(tekken, TekkenFile.read(tekken));
      }
      if (Files.exists(sentencePiece)) {
        throw new TextFormatException(
            sentencePiece,
            "is SentencePiece's, which is not read, and there is no tokenizer.json beside it; load"
                + " the folder with transformers' AutoTokenizer and save that here, which writes"
                + " tokenizer.json");
      }
    }
    return new TokenizerFile(json, TextFiles.readObject(json));
  }

  private TokenizerFile(Path file, ObjectNode root) {
    this.file = file;
    this.root = root;
    // Nothing is truncated or padded, so these parts of the file need not be checked.
    root.putNull("truncation");
    root.putNull("padding");
    this.vocabulary = root.path("model").path("vocab");
    readVocabulary();
    readAdded();
    checkModel(root.path("model"));
    this.components = TokenizerComponents.check(file, root, ids::get);
  }

  private void readVocabulary() {
    if (!vocabulary.isObject()) {
      throw wrong("model.vocab", vocabulary, "an object of ids by token");
    }
    for (Map.Entry<String, JsonNode> token : vocabulary.properties()) {
      JsonNode id = token.getValue();
      if (!isId(id) || ids.get(id.intValue()) || !isWellFormed(token.getKey())) {
        throw wrong("model.vocab's " + token.getKey(), id, "a text with an id of its own");
      }
      ids.set(id.intValue());
    }
  }

  private static boolean isId(JsonNode id) {
    return id.isInt() && id.intValue() >= 0 && id.intValue() < MOST_TOKENS;
  }

  private static boolean isWellFormed(String text) {
    return LoneSurrogates.replaced(text).equals(text);
  }

  private void readAdded() {
    JsonNode tokens = root.path("added_tokens");
    if (!tokens.isArray()) {
      throw wrong("added_tokens", tokens, "a list of tokens, without any where there are none");
    }
    Set<String> contents = new HashSet<>();
    Set<Integer> addedIds = new HashSet<>();
    for (int i = 0; i < tokens.size(); i++) {
      JsonNode token = tokens.get(i);
      String name = "added_tokens[" + i + "]";
      JsonNode id = token.path("id");
      String content = token.path("content").asText("");
      boolean own = vocabulary.path(content).isMissingNode() || vocabulary.path(content).equals(id);
      if (!isId(id)
          || !token.path("content").isTextual()
          || content.isEmpty()
          || !own
          || !isWellFormed(content)) {
        throw wrong(name, token, "an id, which is the vocabulary's, and a content");
      }
      if (!contents.add(content) || !addedIds.add(id.intValue())) {
        throw wrong(name, token, "an id and a content that no other has");
      }
      ids.set(id.intValue());
      added.add(
          new AddedToken(
              id.intValue(),
              content,
              flag(name, token, "special"),
              flag(name, token, "lstrip") | flag(name, token, "rstrip")));
      flag(name, token, "single_word");
      flag(name, token, "normalized");
    }
    if (ids.isEmpty()) {
      throw wrong("model.vocab", vocabulary, "tokens");
    }
  }

  private boolean flag(String name, JsonNode object, String key) {
    JsonNode value = object.path(key);
    if (!value.isMissingNode() && !value.isBoolean()) {
      throw wrong(name + "." + key, value, "true or false");
    }
    return value.asBoolean(false);
  }

  /** Checks a byte pair encoding, whose merges each join two tokens to a third. */
  private void checkModel(JsonNode model) {
    // Files that older libraries wrote have no type.
    if (!model.path("type").asText("BPE").equals("BPE")) {
      throw wrong("model.type", model.path("type"), "BPE");
    }
    if (model.path("dropout").asDouble(0) != 0) {
      throw wrong(
          "model.dropout", model.path("dropout"), "none: a text has the same tokens always");
    }
    for (String key : List.of("fuse_unk", "byte_fallback", "ignore_merges")) {
      flag("model", model, key);
    }
    JsonNode unknown = model.path("unk_token");
    if (!unknown.isMissingNode() && !unknown.isNull() && !vocabulary.has(unknown.asText())) {
      throw wrong("model.unk_token", unknown, "a token of model.vocab");
    }
    for (String key : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
      // The library cuts prefixes off tokens that may not have them. Tokens of bytes need neither.
      if (!model.path(key).asText("").isEmpty() || model.path(key).isContainerNode()) {
        throw wrong("model." + key, model.path(key), "none");
      }
    }
    JsonNode merges = model.path("merges");
    if (!merges.isArray()) {
      throw wrong("model.merges", merges, "a list of pairs of tokens");
    }
    for (int i = 0; i < merges.size(); i++) {
      checkMerge("model.merges[" + i + "]", merges.get(i));
    }
  }

  private void checkMerge(String name, JsonNode merge) {
    String[] pair =
        merge.isTextual()
            ? merge.textValue().split(" ", -1)
            : new String[] {merge.path(0).asText(""), merge.path(1).asText("")};
    boolean two = pair.length == 2 && (merge.isTextual() || merge.size() == 2);
    if (!two || !vocabulary.has(pair[0]) || !vocabulary.has(pair[1])) {
      throw wrong(name, merge, "two tokens of model.vocab");
    }
    if (!vocabulary.has(pair[0] + pair[1])) {
      throw wrong(name, merge, "two tokens that make one of model.vocab");
    }
  }

  private TextFormatException wrong(String field, JsonNode value, String expected) {
    return TextFormatException.ofField(file, field, value, expected);
  }

  /** The file that this was read from. */
  Path file() {
    return file;
  }

  List<AddedToken> added() {
    return added;
  }

  /** The largest id of any token. */
  int largestId() {
    return ids.length() - 1;
  }

  /**
   * The largest number of bytes of a text that one token stands for. It is empty where there is no
   * bound, because white space or replaced characters are left out, or because unknown characters
   * form one token together.
   */
  OptionalInt longestToken() {
    JsonNode model = root.path("model");
    boolean fusesUnknown =
        model.path("fuse_unk").asBoolean(false) && !model.path("byte_fallback").asBoolean(false);
    if (fusesUnknown || components.shortens() || added.stream().anyMatch(AddedToken::strips)) {
      return OptionalInt.empty();
    }
    int longest = 1;
    for (Map.Entry<String, JsonNode> token : vocabulary.properties()) {
      longest = Math.max(longest, bytes(token.getKey()));
    }
    for (AddedToken token : added) {
      longest = Math.max(longest, bytes(token.content()));
    }
    return OptionalInt.of(longest);
  }

  /**
   * An upper bound of the bytes of a token: of its text in UTF-8, or of its characters if these
   * stand for bytes.
   */
  private static int bytes(String token) {
    return token.getBytes(StandardCharsets.UTF_8).length;
  }

  /**
   * The bytes that each token adds to a text, for all ids up to the largest; a special token adds
   * none.
   *
   * @return empty where the decoder gives tokens no bytes of their own
   */
  Optional<TokenBytes> tokenBytes() {
    String[] tokens = new String[largestId() + 1];
    for (Map.Entry<String, JsonNode> token : vocabulary.properties()) {
      tokens[token.getValue().intValue()] = token.getKey();
    }
    for (AddedToken token : added) {
      tokens[token.id()] = token.special() ? null : token.content();
    }
    return TokenSpelling.of(root.path("decoder"), tokens);
  }

  /** The id of an added token by its content. */
  OptionalInt addedId(String content) {
    return added.stream()
        .filter(token -> token.content().equals(content))
        .mapToInt(AddedToken::id)
        .findFirst();
  }

  NativeTokenizer load() {
    return load(root);
  }

  /**
   * Loads the tokenizer with some added tokens renamed: these are found in a text by their new
   * contents.
   *
   * @param contents new contents by old ones
   */
  NativeTokenizer loadRenamed(Map<String, String> contents) {
    // The library gives added tokens ids in their order, except those that the model has. A renamed
    // one is no longer among these and would shift the ids of those after it: so it goes last.
    ObjectNode renamed = root.deepCopy();
    List<JsonNode> kept = new ArrayList<>();
    List<JsonNode> last = new ArrayList<>();
    for (Iterator<JsonNode> tokens = renamed.path("added_tokens").iterator(); tokens.hasNext(); ) {
      ObjectNode token = (ObjectNode) tokens.next();
      String content = token.get("content").textValue();
      token.put("content", contents.getOrDefault(content, content));
      (contents.containsKey(content) && vocabulary.has(content) ? last : kept).add(token);
    }
    kept.addAll(last);
    renamed.putArray("added_tokens").addAll(kept);
    return load(renamed);
  }

  private NativeTokenizer load(JsonNode json) {
    try {
      return NativeTokenizer.of(
          TextFiles.JSON.writeValueAsString(json), new TextRuns(components.work()));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    } catch (RuntimeException e) {
      throw new TextFormatException(
          file, "is refused by the tokenizer library: " + e.getMessage(), e);
    }
  }
}
