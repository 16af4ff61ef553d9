package dev.sparkmla.arrow;

import java.util.Locale;

/**
 * What happens to a prompt that does not fit into the context window, or the cache, beside its new
 * tokens.
 *
 * <p>Truncating a prompt keeps as many characters as fit. In a conversation the longest message is
 * cut, so that the template's markup, the roles and the other messages stay; only when nothing of
 * it can stay is the next longest cut too.
 */
public enum OverflowPolicy {
  /** The row ends with {@link ErrorCode#PROMPT_TOO_LONG}. */
  ERROR,
  /** The beginning of the text is dropped. */
  TRUNCATE_LEFT,
  /** The middle of the text is dropped: as much stays before it as after it. */
  TRUNCATE_MIDDLE,
  /**
   * The prompt stays whole, and fewer tokens are generated than were asked for; where there is room
   * for none, the row ends with {@link ErrorCode#PROMPT_TOO_LONG}.
   */
  TRUNCATE_OUTPUT;

  /** The spelling in SQL and on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
