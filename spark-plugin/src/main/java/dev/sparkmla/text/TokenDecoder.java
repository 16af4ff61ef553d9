package dev.sparkmla.text;

import java.util.Arrays;

/**
 * Turns the tokens of one generation into text as they come. The texts it returns, joined, are the
 * text of all tokens decoded at once; special tokens leave no text or are spelled out. Not
 * thread-safe.
 *
 * <p>A token may be a part of a character, and what it reads as may depend on the one before it. So
 * the last tokens are decoded with and without the new one, from a token that began such a text
 * (the prefix), and what is new is held back while it ends in a replacement character, which may
 * still become a whole one. Work for a token does not grow with the length of the text.
 */
public final class TokenDecoder {
  /** More unfinished tokens than a character can have: what ends so will not become whole. */
  private static final int LONGEST_UNFINISHED = 16;

  private final NativeTokenizer tokenizer;
  private final boolean spellsSpecialTokens;
  private long[] window = new long[8];
  private int size;

  /** Tokens of the window whose text has been returned. */
  private int returned;

  private String returnedText = "";

  TokenDecoder(NativeTokenizer tokenizer, boolean spellsSpecialTokens) {
    this.tokenizer = tokenizer;
    this.spellsSpecialTokens = spellsSpecialTokens;
  }

  /**
   * Takes the next token.
   *
   * @return the text that is certain now and was not before; often empty
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

  /** The text held back; the last call. */
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
