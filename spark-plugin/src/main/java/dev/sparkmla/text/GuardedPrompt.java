package dev.sparkmla.text;

/**
 * A prompt as its {@link Tokenizer} reads it, in which no special token is parsed that only a user
 * has spelled. It is for the tokenizer that made it. Immutable.
 */
public final class GuardedPrompt {
  private final String text;
  private final boolean framed;

  /**
   * @param text without lone surrogates
   * @param framed whether what the tokenizer puts around every text goes around it
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
