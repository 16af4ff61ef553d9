package dev.sparkmla.text;

/** A conversation that the model's chat template refuses or cannot lay out. */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Takes the template's own words, or what went wrong in it. */
  public ChatTemplateException(String message) {
    super(message);
  }
}
