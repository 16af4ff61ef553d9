package dev.sparkmla.text;

/**
 * A prompt that is ready to be encoded by the {@link Tokenizer} that made it. Special tokens that
 * the template wrote are parsed in it; those that a user spelled stay plain text. Immutable.
 */
public final class GuardedPrompt {
  private final String text;
  private final boolean framed;

  /**
   * @param text without lone surrogates
   * @param framed whether the tokenizer adds the tokens that it puts around every text
   */
  GuardedPrompt(String text, boolean framed) {
    this.text = text;
    this.framed = framed;
  }

  String text() {
    return text;
  }

  boolean framed() {
    return framed;
  }
}
