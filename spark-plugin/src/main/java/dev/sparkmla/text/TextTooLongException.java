package dev.sparkmla.text;

/**
 * A text has a run of characters that is too long for the tokenizer's library: encoding it might
 * end the process.
 */
public final class TextTooLongException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what of the text is too long, and the longest that is accepted
   */
  public TextTooLongException(String message) {
    super(message);
  }
}
