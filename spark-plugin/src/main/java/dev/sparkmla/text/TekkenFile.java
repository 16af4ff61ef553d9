package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.text.BytePairRanks.MarkerToken;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Mistral's tekken.json, as the mistral-common library reads it: {@code config} has the pattern and
 * the sizes, {@code vocab} the tokens by rank, of which as many belong to the vocabulary as it has
 * room for, and {@code special_tokens} those whose ids precede them. A special token without a name
 * is called {@code <SPECIAL_id>}. Every text begins with the token {@code <s>}.
 */
final class TekkenFile {
  /** The special tokens of older files, which do not list any, from id 0 on. */
  private static final List<String> UNLISTED =
      List.of(
          "<unk>",
          "<s>",
          "</s>",
          "[INST]",
          "[/INST]",
          "[AVAILABLE_TOOLS]",
          "[/AVAILABLE_TOOLS]",
          "[TOOL_RESULTS]",
          "[/TOOL_RESULTS]",
          "[TOOL_CALLS]",
          "[IMG]",
          "<pad>",
          "[IMG_BREAK]",
          "[IMG_END]",
          "[PREFIX]",
          "[MIDDLE]",
          "[SUFFIX]",
          "[SYSTEM_PROMPT]",
          "[/SYSTEM_PROMPT]",
          "[TOOL_CONTENT]");

  private static final String NAME = "tekken.json";
  private static final String BEGIN = "<s>";
  private static final String END = "</s>";

  /**
   * The form of a special token's content: a letter or digit, and other characters at both ends.
   * The file's pattern separates these, so a text that spells a special token is never encoded as
   * that token.
   */
  private static final Pattern MARKER =
      Pattern.compile("[^\\p{L}\\p{N}\\s]+[\\p{L}\\p{N}].*[^\\p{L}\\p{N}\\s]");

  private static final int MOST_TOKENS = 1 << 22;

  private final Path file;
  private final JsonNode root;

  private TekkenFile(Path file) {
    this.file = file;
    this.root = TextFiles.readObject(file);
  }

  /**
   * Converts the file to a tokenizer.json.
   *
   * @throws TextFormatException when it cannot be used
   */
  static ObjectNode read(Path file) {
    return new TekkenFile(file).toTokenizer();
  }

  /** Whether a model folder's tokenizer is a tekken.json. */
  static boolean isTokenizerOf(Path folder) {
    return Files.exists(folder.resolve(NAME)) && !Files.exists(folder.resolve("tokenizer.json"));
  }

  /**
   * The tokenizer_config.json that such a folder lacks: chat templates use these tokens by their
   * names.
   */
  static ObjectNode configuration() {
    return TextFiles.JSON.createObjectNode().put("bos_token", BEGIN).put("eos_token", END);
  }

  private ObjectNode toTokenizer() {
    int special = size("default_num_special_tokens");
    int size = size("default_vocab_size");
    JsonNode vocabulary = root.path("vocab");
    if (!vocabulary.isArray() || size <= special || vocabulary.size() < size - special) {
      throw new TextFormatException(
          file,
          "vocab has "
              + vocabulary.size()
              + " tokens and config.default_vocab_size is "
              + size
              + ", of which "
              + special
              + " are special; expected tokens for the others");
    }
    BytePairRanks ranks = new BytePairRanks(file);
    for (int i = 0; i < size - special; i++) {
      JsonNode token = vocabulary.get(i);
      ranks.add("vocab[" + i + "]", token.path("token_bytes").asText(), token.path("rank").asInt());
    }
    JsonNode pattern = root.path("config").path("pattern");
    if (!pattern.isTextual()) {
      throw wrong("config.pattern", pattern, "a regular expression");
    }
    ObjectNode tokenizer = ranks.toTokenizer(pattern.textValue(), special, specialTokens(special));
    addBegin(tokenizer);
    return tokenizer;
  }

  private int size(String key) {
    JsonNode value = root.path("config").path(key);
    if (!value.isInt() || value.intValue() < 1 || value.intValue() > MOST_TOKENS) {
      throw wrong("config." + key, value, "an integer in 1 to " + MOST_TOKENS);
    }
    return value.intValue();
  }

  private List<MarkerToken> specialTokens(int count) {
    Map<Integer, MarkerToken> named = new HashMap<>();
    JsonNode listed = root.path("special_tokens");
    if (listed.isMissingNode() || listed.isNull()) {
      for (int id = 0; id < UNLISTED.size(); id++) {
        named.put(id, new MarkerToken(id, UNLISTED.get(id), true));
      }
    }
    for (JsonNode token : listed) {
      int id = token.path("rank").asInt(-1);
      String content = token.path("token_str").asText();
      boolean control = token.path("is_control").asBoolean(true);
      if (id < 0 || id >= count || !MARKER.matcher(content).matches()) {
        throw wrong(
            "special_tokens",
            token,
            "a rank below default_num_special_tokens, " + count + ", and a name in brackets");
      }
      if (named.put(id, new MarkerToken(id, content, control)) != null) {
        throw wrong("special_tokens", token, "a rank that no other has");
      }
    }
    List<MarkerToken> all = new ArrayList<>();
    for (int id = 0; id < count; id++) {
      MarkerToken unnamed = new MarkerToken(id, "<SPECIAL_" + id + ">", true);
      all.add(named.getOrDefault(id, unnamed));
    }
    return all;
  }

  private void addBegin(ObjectNode tokenizer) {
    JsonNode begin = tokenizer.path("model").path("vocab").path(BEGIN);
    if (begin.isMissingNode()) {
      throw wrong("special_tokens", root.path("special_tokens"), "one named " + BEGIN);
    }
    ObjectNode template = tokenizer.putObject("post_processor").put("type", "TemplateProcessing");
    for (String sequences : new String[] {"single", "pair"}) {
      ObjectNode element = template.putArray(sequences).addObject();
      element.putObject("SpecialToken").put("id", BEGIN).put("type_id", 0);
    }
    template.withArray("single").addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
    for (String sequence : new String[] {"A", "B"}) {
      ObjectNode element = template.withArray("pair").addObject();
      element.putObject("Sequence").put("id", sequence).put("type_id", 0);
    }
    ObjectNode token = template.putObject("special_tokens").putObject(BEGIN).put("id", BEGIN);
    token.putArray("ids").add(begin.intValue());
    token.putArray("tokens").add(BEGIN);
  }

  private TextFormatException wrong(String field, JsonNode value, String expected) {
    return TextFormatException.ofField(file, field, value, expected);
  }
}
