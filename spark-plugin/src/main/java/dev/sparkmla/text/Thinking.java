package dev.sparkmla.text;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a model marks the thoughts that precede its answer: the markers before and after them, and
 * the tokens of these markers. Immutable and thread-safe; the tokenizer stays its owner's.
 *
 * <p>The markers are those of published models. Where the tokenizer has both of them as added
 * tokens, only these tokens mark thoughts, and the same characters made of other tokens do not.
 * Elsewhere the characters themselves do.
 */
public final class Thinking {
  /** The markers before and after thoughts. */
  private record Markers(String opening, String closing) {}

  /** Kimi-VL's, which are neither tokens nor in its template. */
  private static final Markers PLAIN_TEXT = new Markers("◁think▷", "◁/think▷");

  private static final List<Markers> PUBLISHED =
      List.of(
          new Markers("<think>", "</think>"), // DeepSeek, GLM, Kimi K2, Youtu
          new Markers("[THINK]", "[/THINK]"), // Mistral
          new Markers("<|thought_start|>", "<|thought_end|>"), // MiniCPM
          PLAIN_TEXT);

  /** How many tokens at the end of a prompt are searched for a marker with white space after it. */
  private static final int TAIL = 64;

  private final Tokenizer tokenizer;
  private final Markers markers;
  private final OptionalInt openingToken;
  private final OptionalInt closingToken;

  private Thinking(Tokenizer tokenizer, Markers markers) {
    this.tokenizer = tokenizer;
    this.markers = markers;
    boolean tokens = areTokens(markers, tokenizer);
    this.openingToken = tokens ? tokenizer.addedToken(markers.opening()) : OptionalInt.empty();
    this.closingToken = tokens ? tokenizer.addedToken(markers.closing()) : OptionalInt.empty();
  }

  /**
   * Finds a model's markers: those that are added tokens of its tokenizer, else those that its
   * template writes, else Kimi-VL's.
   */
  public static Thinking of(Tokenizer tokenizer, Optional<ChatTemplate> template) {
    Markers markers =
        PUBLISHED.stream()
            .filter(pair -> areTokens(pair, tokenizer))
            .findFirst()
            .or(
                () ->
                    PUBLISHED.stream()
                        .filter(pair -> template.filter(t -> t.writes(pair.closing())).isPresent())
                        .findFirst())
            .orElse(PLAIN_TEXT);
    return new Thinking(tokenizer, markers);
  }

  private static boolean areTokens(Markers pair, Tokenizer tokenizer) {
    return tokenizer.addedToken(pair.opening()).isPresent()
        && tokenizer.addedToken(pair.closing()).isPresent();
  }

  /** The marker before thoughts. */
  public String opening() {
    return markers.opening();
  }

  /** The marker after thoughts. */
  public String closing() {
    return markers.closing();
  }

  /** Whether the markers are plain characters, of whatever tokens, instead of added tokens. */
  public boolean isPlainText() {
    return closingToken.isEmpty();
  }

  /** The token that opens thoughts; empty where the markers are plain text. */
  public OptionalInt openingToken() {
    return openingToken;
  }

  /** The token that closes thoughts; empty where the markers are plain text. */
  public OptionalInt closingToken() {
    return closingToken;
  }

  /**
   * Whether a prompt whose last message is continued ends within thoughts: whether its last marker
   * is the opening one.
   *
   * @param prompt token ids
   */
  public boolean isOpenWithin(int[] prompt) {
    String text = tokenizer.spelled(prompt);
    return text.lastIndexOf(markers.opening()) > text.lastIndexOf(markers.closing());
  }

  /**
   * Whether the answer to a prompt begins with thoughts, because the prompt ends with the opening
   * marker, which white space may follow.
   *
   * @param prompt token ids
   */
  public boolean isOpenAfter(int[] prompt) {
    int from = Math.max(0, prompt.length - TAIL);
    return tokenizer
        .spelled(Arrays.copyOfRange(prompt, from, prompt.length))
        .stripTrailing()
        .endsWith(markers.opening());
  }
}
