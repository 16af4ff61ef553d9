package dev.sparkmla.text;

/** A conversation that the model's chat template refuses or cannot lay out. */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message the template's own message, or what went wrong in it
   */
  public ChatTemplateException(String message) {
    super(message);
  }
}
