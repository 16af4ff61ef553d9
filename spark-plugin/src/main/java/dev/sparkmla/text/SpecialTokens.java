package dev.sparkmla.text;

/** How special tokens that are spelled out in a text are encoded. */
public enum SpecialTokens {
  /** As plain text, like any other characters. */
  PLAIN_TEXT,
  /** As their ids. */
  PARSED
}
