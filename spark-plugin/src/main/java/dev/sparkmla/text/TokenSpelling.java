package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sparkmla.policy.TokenBytes;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Finds the bytes of each token from the decoder of a tokenizer.json. Supported are byte-level
 * decoders, byte fallback, and decoders that replace another character by a space. The native
 * library cannot be asked: it decodes to text, in which a token that is a part of a character is
 * lost.
 *
 * <p>Many decoders remove the space at the beginning of a text; here that space belongs to its
 * token.
 */
final class TokenSpelling {
  private static final Pattern BYTE = Pattern.compile("<0x[0-9A-Fa-f]{2}>");
  private static final Map<Character, Byte> BYTES_BY_LETTER = bytesByLetter();

  private final List<JsonNode> steps = new ArrayList<>();

  private TokenSpelling(JsonNode decoder) {
    collect(decoder);
  }

  private void collect(JsonNode step) {
    if (step.path("type").asText().equals("Sequence")) {
      step.path("decoders").forEach(this::collect);
    } else if (step.isObject()) {
      steps.add(step);
    }
  }

  /**
   * The bytes of all tokens.
   *
   * @param decoder the file's decoder, which has been checked
   * @param tokens the content of each id; null where the id has no text
   * @return empty where a token may have no bytes of its own: without a decoder, tokens are joined
   *     by spaces; and a pattern, or a step after Fuse, may replace text of several tokens
   */
  static Optional<TokenBytes> of(JsonNode decoder, String[] tokens) {
    TokenSpelling spelling = new TokenSpelling(decoder);
    if (!spelling.isOfTokens()) {
      return Optional.empty();
    }
    int[] offsets = new int[tokens.length + 1];
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (int id = 0; id < tokens.length; id++) {
      if (tokens[id] != null) {
        all.writeBytes(spelling.bytes(tokens[id]));
      }
      offsets[id + 1] = all.size();
    }
    return Optional.of(new TokenBytes(offsets, all.toByteArray()));
  }

  /** Whether each step sees one token at a time; after Fuse it would see the whole text. */
  private boolean isOfTokens() {
    boolean fused = false;
    for (JsonNode step : steps) {
      boolean strips = step.get("type").textValue().equals("Strip");
      if (strips != fused || step.at("/pattern").has("Regex")) {
        return false;
      }
      fused |= step.get("type").textValue().equals("Fuse");
    }
    return !steps.isEmpty();
  }

  private byte[] bytes(String token) {
    String text = token;
    for (JsonNode step : steps) {
      switch (step.get("type").textValue()) {
        case "ByteLevel" -> {
          return byteLevel(text);
        }
        case "ByteFallback" -> {
          if (BYTE.matcher(text).matches()) {
            return new byte[] {(byte) Integer.parseInt(text.substring(3, 5), 16)};
          }
        }
        case "Replace" ->
            text =
                text.replace(
                    step.at("/pattern/String").textValue(), step.get("content").textValue());
        case "Metaspace" -> text = text.replace(step.get("replacement").textValue(), " ");
        case "Fuse", "Strip" -> {} // of the whole text
        default -> throw new IllegalStateException("a decoder that was not checked: " + step);
      }
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /**
   * The bytes that a token's letters stand for; a token with any other character, an added one, is
   * plain text.
   */
  private static byte[] byteLevel(String text) {
    byte[] bytes = new byte[text.length()];
    for (int i = 0; i < bytes.length; i++) {
      Byte value = BYTES_BY_LETTER.get(text.charAt(i));
      if (value == null) {
        return text.getBytes(StandardCharsets.UTF_8);
      }
      bytes[i] = value;
    }
    return bytes;
  }

  private static Map<Character, Byte> bytesByLetter() {
    Map<Character, Byte> bytes = new HashMap<>();
    List<String> letters = BytePairRanks.letters();
    for (int value = 0; value < letters.size(); value++) {
      bytes.put(letters.get(value).charAt(0), (byte) value);
    }
    return bytes;
  }
}
