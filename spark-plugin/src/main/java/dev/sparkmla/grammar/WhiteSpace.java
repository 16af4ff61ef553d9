package dev.sparkmla.grammar;

/** Where a JSON answer may have white space outside of strings. */
public enum WhiteSpace {
  /** Nowhere. */
  COMPACT,
  /**
   * Around each colon and comma and inside each bracket: at most one line break and then at most
   * {@value #MOST_BLANKS} spaces or tabs.
   */
  FREE;

  /** How many spaces or tabs free white space may have in a row. */
  static final int MOST_BLANKS = 20;
}
