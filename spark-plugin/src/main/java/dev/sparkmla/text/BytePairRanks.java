package dev.sparkmla.text;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Byte pair encoding by ranks, as the tiktoken library does it. A token is a run of bytes. Encoding
 * begins with single bytes and merges, again and again, the two neighbours that make the token of
 * the lowest rank.
 *
 * <p>A tiktoken file lists the ranks alone. The tokenizers library wants a list of the pairs that
 * are merged, in order. Since tiktoken merges any two neighbours that make a token, that list has
 * every way to cut a token into two tokens, ordered by the rank of the whole. Both libraries take a
 * pre-token that is a token as it is.
 *
 * <p>For one thread.
 */
final class BytePairRanks {
  /** A token that no bytes are merged to, such as one that marks a message's end. */
  record MarkerToken(int id, String content, boolean special) {}

  /** Published tokens have at most some hundred bytes. A longer one can be cut in more ways. */
  private static final int MOST_BYTES = 512;

  /** A published vocabulary of 130,000 tokens has 270,000. */
  private static final int MOST_MERGES = 1 << 20;

  private static final int BYTES = 256;
  private static final List<String> LETTERS = letters();

  private final Path file;

  /** Ranks by token, of which each character is a byte. */
  private final Map<String, Integer> ranks = new HashMap<>();

  private final List<String> tokens = new ArrayList<>();

  /** Takes the file to name in messages. */
  BytePairRanks(Path file) {
    this.file = file;
  }

  /**
   * Adds the token of the next rank; the first has rank 0.
   *
   * @param place where it stands in the file, for messages
   * @param base64 its bytes
   * @param rank what the file says is its rank
   * @throws TextFormatException when it is no token, is there already, or has another rank
   */
  void add(String place, String base64, int rank) {
    if (rank != tokens.size()) {
      throw wrong(place, "has the rank " + rank + "; expected the next, " + tokens.size());
    }
    String token;
    try {
      token = new String(Base64.getDecoder().decode(base64), StandardCharsets.ISO_8859_1);
    } catch (IllegalArgumentException notBase64) {
      throw wrong(place, "is not base64: " + notBase64.getMessage());
    }
    if (token.isEmpty() || token.length() > MOST_BYTES) {
      throw wrong(place, "has " + token.length() + " bytes; expected 1 to " + MOST_BYTES);
    }
    if (ranks.putIfAbsent(token, rank) != null) {
      throw wrong(place, "is a token again, with rank " + rank + "; expected each once");
    }
    tokens.add(token);
  }

  /** How many tokens there are. */
  int size() {
    return tokens.size();
  }

  /**
   * The same encoding as a tokenizer.json.
   *
   * @param pattern the regular expression that cuts a text into the pre-tokens that are encoded
   * @param firstId the id of rank 0; the others follow
   * @param markers tokens with ids below the first, or after the last without a gap
   * @throws TextFormatException when a byte has no token, or the tokens can be cut in too many ways
   */
  ObjectNode toTokenizer(String pattern, int firstId, List<MarkerToken> markers) {
    requireAllBytes();
    ObjectNode root = TextFiles.JSON.createObjectNode();
    ObjectNode model = root.putObject("model").put("type", "BPE").put("ignore_merges", true);
    ObjectNode vocabulary = model.putObject("vocab");
    for (int rank = 0; rank < tokens.size(); rank++) {
      vocabulary.put(spell(tokens.get(rank)), firstId + rank);
    }
    addMerges(model.putArray("merges"));
    ArrayNode added = root.putArray("added_tokens");
    for (MarkerToken marker : markers) {
      if (marker.id() < firstId) {
        // The library gives added tokens the ids after the vocabulary, unless they are part of it.
        vocabulary.put(marker.content(), marker.id());
      }
      added
          .addObject()
          .put("id", marker.id())
          .put("content", marker.content())
          .put("special", marker.special())
          .put("normalized", false)
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false);
    }
    ObjectNode splitting = root.putObject("pre_tokenizer").put("type", "Sequence");
    ArrayNode steps = splitting.putArray("pretokenizers");
    ObjectNode split = steps.addObject().put("type", "Split");
    split.putObject("pattern").put("Regex", pattern);
    split.put("behavior", "Isolated").put("invert", false);
    byteLevel(steps.addObject()).put("use_regex", false);
    byteLevel(root.putObject("decoder"));
    return root;
  }

  private static ObjectNode byteLevel(ObjectNode step) {
    return step.put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", true);
  }

  private void requireAllBytes() {
    for (char value = 0; value < BYTES; value++) {
      if (!ranks.containsKey(String.valueOf(value))) {
        throw new TextFormatException(
            file, "has no token of the byte " + (int) value + "; expected one of each byte");
      }
    }
  }

  private void addMerges(ArrayNode merges) {
    for (String token : tokens) {
      for (int cut = 1; cut < token.length(); cut++) {
        String left = token.substring(0, cut);
        String right = token.substring(cut);
        if (ranks.containsKey(left) && ranks.containsKey(right)) {
          merges.add(spell(left) + " " + spell(right));
        }
      }
      if (merges.size() > MOST_MERGES) {
        throw new TextFormatException(
            file,
            "its tokens can be cut in two in more than "
                + MOST_MERGES
                + " ways; expected the vocabulary of a published model");
      }
    }
  }

  /** Bytes as the ByteLevel steps spell them. */
  private static String spell(String token) {
    StringBuilder spelled = new StringBuilder(token.length());
    for (int i = 0; i < token.length(); i++) {
      spelled.append(LETTERS.get(token.charAt(i)));
    }
    return spelled.toString();
  }

  /**
   * The letter of each byte in ByteLevel's spelling: visible characters of Latin-1 stand for
   * themselves, the others are numbered from U+0100.
   */
  static List<String> letters() {
    List<String> letters = new ArrayList<>(BYTES);
    int next = 0x100;
    for (int value = 0; value < BYTES; value++) {
      boolean visible =
          (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xFF && value != 0xAD);
      letters.add(Character.toString(visible ? value : next++));
    }
    return letters;
  }

  private TextFormatException wrong(String place, String problem) {
    return new TextFormatException(file, place + " " + problem);
  }
}
