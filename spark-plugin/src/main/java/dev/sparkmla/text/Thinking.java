package dev.sparkmla.text;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a model marks the thoughts that precede its answer: the markers around them, and the tokens
 * that these are. Immutable and thread-safe; it uses its tokenizer.
 *
 * <p>The markers are those of published models. They are tokens where the tokenizer has both of
 * them, and then the same characters written as other tokens mark nothing.
 */
public final class Thinking {
  /** The markers around thoughts. */
  private record Markers(String opening, String closing) {}

  /** Kimi-VL's, which are neither tokens nor in its template. */
  private static final Markers PLAIN_TEXT = new Markers("◁think▷", "◁/think▷");

  private static final List<Markers> PUBLISHED =
      List.of(
          new Markers("<think>", "</think>"), // DeepSeek, GLM, Kimi K2, Youtu
          new Markers("[THINK]", "[/THINK]"), // Mistral
          new Markers("<|thought_start|>", "<|thought_end|>"), // MiniCPM
          PLAIN_TEXT);

  /** Tokens at the end of a prompt that hold its last marker and the white space behind it. */
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

  /** What thoughts begin with. */
  public String opening() {
    return markers.opening();
  }

  /** What thoughts end with. */
  public String closing() {
    return markers.closing();
  }

  /** Whether the markers are characters of the text, of whatever tokens they are. */
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
   * Whether what follows a message that the prompt ends with, and that is continued, is thoughts:
   * whether the last marker of the prompt opens them.
   *
   * @param prompt token ids
   */
  public boolean isOpenWithin(int[] prompt) {
    String text = tokenizer.spelled(prompt);
    return text.lastIndexOf(markers.opening()) > text.lastIndexOf(markers.closing());
  }

  /**
   * Whether what follows a prompt is thoughts, because the prompt ends with the marker that opens
   * them and at most white space.
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
