package dev.sparkmla.text.jinja;

/** A template that cannot be parsed, fails on its input, or refuses it. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean raised;

  private TemplateException(String message, boolean raised) {
    super(message);
    this.raised = raised;
  }

  /** A fault of the template or of its use. */
  static TemplateException fault(String message) {
    return new TemplateException(message, false);
  }

  /** The template's own refusal of its input, in its own words. */
  public static TemplateException raised(String message) {
    return new TemplateException(message, true);
  }

  /** Whether the template itself refused its input. */
  public boolean isRaised() {
    return raised;
  }
}
