package dev.sparkmla.text;

import java.util.Arrays;

/**
 * Decodes the tokens of one generation one by one. The texts that it returns, joined, are the text
 * of all tokens decoded at once. Special tokens are left out or spelled out. Not thread-safe.
 *
 * <p>A token may be a part of a character, and its text may depend on the token before it. So a
 * window of the last tokens is decoded: those whose text was returned last (the prefix) and the new
 * ones. The new text is what follows the prefix's text. It is held back while it ends in a
 * replacement character, because the next token may complete that character. The work for a token
 * does not grow with the length of the text.
 */
public final class TokenDecoder {
  /** Tokens after which a character is no longer held back: no character has so many. */
  private static final int LONGEST_UNFINISHED = 16;

  private final NativeTokenizer tokenizer;
  private final boolean spellsSpecialTokens;
  private long[] window = new long[8];
  private int size;

  /** How many tokens of the window have had their text returned. */
  private int returned;

  private String returnedText = "";

  TokenDecoder(NativeTokenizer tokenizer, boolean spellsSpecialTokens) {
    this.tokenizer = tokenizer;
    this.spellsSpecialTokens = spellsSpecialTokens;
  }

  /**
   * Takes the next token.
   *
   * @return the text that has become certain with this token; often empty
   */
  public String append(int token) {
    if (size == window.length) {
      window = Arrays.copyOf(window, 2 * size);
    }
    window[size++] = token;
    String text = decodeWindow();
    boolean unfinished = text.endsWith("\uFFFD") && size - returned < LONGEST_UNFINISHED;
    return unfinished || text.length() <= returnedText.length() ? "" : advance(text);
  }

  /** The text that was held back. To be called once, last. */
  public String finish() {
    String text = decodeWindow();
    return text.substring(Math.min(returnedText.length(), text.length()));
  }

  /** Returns what is new in the window's text and lets the new tokens be the next prefix. */
  private String advance(String text) {
    String added = text.substring(returnedText.length());
    System.arraycopy(window, returned, window, 0, size - returned);
    size -= returned;
    returned = size;
    returnedText = decodeWindow();
    return added;
  }

  private String decodeWindow() {
    return tokenizer.decode(Arrays.copyOf(window, size), spellsSpecialTokens);
  }
}
