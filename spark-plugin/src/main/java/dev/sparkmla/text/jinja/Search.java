package dev.sparkmla.text.jinja;

/** Finds a string in a string, within a budget. */
final class Search {
  /**
   * Searching for a longer string may take its length times that of the other, which is counted as
   * reading.
   */
  private static final int SHORT = 64;

  private Search() {}

  /**
   * The first index, at or after {@code begin}, at which a text contains another; -1 if there is
   * none.
   */
  static int indexOf(String text, String wanted, int begin, Budget budget) {
    if (wanted.length() <= SHORT) {
      int at = text.indexOf(wanted, begin);
      budget.reads((at < 0 ? text.length() : at) - (long) begin);
      return at;
    }
    for (int at = begin; at <= text.length() - wanted.length(); at++) {
      if (isAt(text, wanted, at, budget)) {
        return at;
      }
    }
    return -1;
  }

  /**
   * The last index at which a text contains another that ends at or before {@code end}; -1 if there
   * is none.
   */
  static int lastIndexOf(String text, String wanted, int end, Budget budget) {
    for (int at = end - wanted.length(); at >= 0; at--) {
      if (isAt(text, wanted, at, budget)) {
        return at;
      }
    }
    return -1;
  }

  private static boolean isAt(String text, String wanted, int at, Budget budget) {
    int same = 0;
    while (same < wanted.length() && text.charAt(at + same) == wanted.charAt(same)) {
      same++;
    }
    if (same > SHORT || at % SHORT == 0) {
      budget.reads(same + SHORT);
    }
    return same == wanted.length();
  }
}
