package dev.sparkmla.text;

/** What becomes of special tokens that are spelled out in a text. */
public enum SpecialTokens {
  /** They are text like any other. */
  PLAIN_TEXT,
  /** They become their ids. */
  PARSED
}
