package dev.sparkmla.text.jinja;

/** A template that cannot be parsed, fails on its input, or refuses it. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean raised;
  private final boolean located;

  private TemplateException(String message, boolean raised, boolean located) {
    super(message);
    this.raised = raised;
    this.located = located;
  }

  /** A fault of the template or of its use. */
  static TemplateException fault(String message) {
    return new TemplateException(message, false, false);
  }

  /** The template's own refusal of its input, in its own words. */
  public static TemplateException raised(String message) {
    return new TemplateException(message, true, true);
  }

  /** The same with a line of the template in front, where it names none yet. */
  TemplateException atLine(int line) {
    return located
        ? this
        : new TemplateException("line " + line + ": " + getMessage(), raised, true);
  }

  /** Whether the template itself refused its input. */
  public boolean isRaised() {
    return raised;
  }
}
