package dev.sparkmla.engine;

/** What happens to a prompt that does not fit into the context window beside its new tokens. */
public enum OverflowPolicy {
  /** The row ends with {@link ErrorCode#PROMPT_TOO_LONG}. */
  ERROR,
  /** Tokens are dropped at the beginning of the text. */
  TRUNCATE_LEFT,
  /** Tokens are dropped in the middle of the text. */
  TRUNCATE_MIDDLE
}
