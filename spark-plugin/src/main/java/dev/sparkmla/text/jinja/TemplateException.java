package dev.sparkmla.text.jinja;

/** A template cannot be parsed, fails on its input, or refuses its input. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean raised;
  private final boolean located;

  private TemplateException(String message, boolean raised, boolean located) {
    super(message);
    this.raised = raised;
    this.located = located;
  }

  /** An error in the template or in its use. */
  static TemplateException fault(String message) {
    return new TemplateException(message, false, false);
  }

  /** A refusal of the input by the template itself, with the template's message. */
  public static TemplateException raised(String message) {
    return new TemplateException(message, true, true);
  }

  /**
   * This exception with a line of the template in front of the message, unless it names one
   * already.
   */
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
