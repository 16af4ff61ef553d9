package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.text.BytePairRanks.MarkerToken;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A tiktoken.model of Moonshot's models (Moonlight, Kimi-VL, Kimi-K2): each line has a token in
 * base64 and its rank. The file has neither the pattern nor the special tokens. They are taken from
 * the Python class that is published beside it ({@code TikTokenTokenizer} in
 * tokenization_moonshot.py and tokenization_kimi.py), which tokenizer_config.json names.
 */
final class TiktokenFile {
  private static final String TOKENIZER_CLASS = "TikTokenTokenizer";

  /** GPT-4o's pattern, except that Han characters are separated from all others. */
  private static final String PATTERN =
      String.join(
          "|",
          "[\\p{Han}]+",
          "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*"
              + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
          "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+"
              + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
          "\\p{N}{1,3}",
          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
          "\\s*[\\r\\n]+",
          "\\s+(?!\\S)",
          "\\s+");

  /** How many ids after the ranks are special tokens, named in tokenizer_config.json or not. */
  private static final int RESERVED = 256;

  /**
   * How many ids after the ranks may have a name. The published class reserves two more ids, but no
   * model has them in its vocabulary, so they are special tokens only where they have a name.
   */
  private static final int MOST_NAMED = RESERVED + 2;

  private TiktokenFile() {}

  /**
   * Converts the file to a tokenizer.json.
   *
   * @throws TextFormatException when the file or tokenizer_config.json cannot be used
   */
  static ObjectNode read(Path file, TokenizerConfig config) {
    JsonNode name = config.field("tokenizer_class");
    if (!name.asText().equals(TOKENIZER_CLASS)) {
      throw TextFormatException.ofField(
          config.file(),
          "tokenizer_class",
          name,
          TOKENIZER_CLASS + ", whose pattern is known here, beside a tiktoken.model");
    }
    BytePairRanks ranks = new BytePairRanks(file);
    int number = 0;
    for (String line : (Iterable<String>) TextFiles.read(file).lines()::iterator) {
      number++;
      if (!line.isBlank()) {
        add(ranks, file, number, line);
      }
    }
    return ranks.toTokenizer(PATTERN, 0, specialTokens(config, ranks.size()));
  }

  private static void add(BytePairRanks ranks, Path file, int number, String line) {
    String[] words = line.split(" ", -1);
    if (words.length != 2 || !words[1].matches("[0-9]{1,8}")) {
      throw new TextFormatException(
          file, "line " + number + " is no token in base64, a space and its rank");
    }
    ranks.add("line " + number, words[0], Integer.parseInt(words[1]));
  }

  private static List<MarkerToken> specialTokens(TokenizerConfig config, int first) {
    Map<Integer, MarkerToken> named = new TreeMap<>();
    for (Map.Entry<String, JsonNode> token : config.field("added_tokens_decoder").properties()) {
      int id = id(config, token.getKey(), first);
      String content = token.getValue().path("content").asText();
      named.put(id, new MarkerToken(id, content, token.getValue().path("special").asBoolean()));
    }
    int last = first + RESERVED - 1;
    for (int id : named.keySet()) {
      last = Math.max(last, id);
    }
    List<MarkerToken> all = new ArrayList<>();
    for (int id = first; id <= last; id++) {
      MarkerToken reserved = new MarkerToken(id, "<|reserved_token_" + id + "|>", true);
      all.add(named.getOrDefault(id, reserved));
    }
    return all;
  }

  private static int id(TokenizerConfig config, String id, int first) {
    if (id.matches("[0-9]{1,8}")) {
      int number = Integer.parseInt(id);
      if (number >= first && number < first + MOST_NAMED) {
        return number;
      }
    }
    throw new TextFormatException(
        config.file(),
        "added_tokens_decoder has the id "
            + id
            + "; expected ids from "
            + first
            + ", the number of tokens in tiktoken.model, to "
            + (first + MOST_NAMED - 1));
  }
}
