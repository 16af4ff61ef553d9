package dev.sparkmla.text;

/** A text that the tokenizer is not given, because its library might not come back from it. */
public final class TextTooLongException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Takes a sentence that says what of the text is too long, and what would not be. */
  public TextTooLongException(String message) {
    super(message);
  }
}
