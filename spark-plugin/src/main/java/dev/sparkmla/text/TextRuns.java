package dev.sparkmla.text;

import dev.sparkmla.text.LinearPattern.Work;

/**
 * Refuses texts with runs of white space, or of anything else, that are too long for the tokenizer
 * library's engine. It gives up, and ends the process, after ten million attempts at one place of a
 * text, and an alternative of a linear pattern makes about one attempt for each character of a run.
 * Immutable.
 */
final class TextRuns {
  /** Far from the engine's limit, and far from texts that fit a model's window. */
  private static final int LONGEST = 1 << 19;

  /** Where the attempts grow with the square: half a billion, which take about a second. */
  private static final int LONGEST_SQUARED = 1 << 15;

  private final int longestSpace;

  /** Takes the work of the tokenizer's patterns. */
  TextRuns(Work work) {
    this.longestSpace =
        switch (work) {
          case LINEAR -> LONGEST;
          case SQUARE_OF_WHITE_SPACE -> LONGEST_SQUARED;
        };
  }

  /**
   * Refuses a text with a run that is too long.
   *
   * @throws TextTooLongException naming the run's length and the longest
   */
  void check(String text) {
    if (text.length() <= longestSpace) {
      return;
    }
    int begin = 0;
    boolean space = isSpace(text.charAt(0));
    for (int at = 1; at <= text.length(); at++) {
      if (at == text.length() || isSpace(text.charAt(at)) != space) {
        refuse(at - begin, space);
        begin = at;
        space = !space;
      }
    }
  }

  private void refuse(int length, boolean space) {
    int longest = space ? longestSpace : LONGEST;
    if (length > longest) {
      throw new TextTooLongException(
          "holds "
              + length
              + (space ? " characters of white space" : " characters without white space")
              + " in a row; the tokenizer takes at most "
              + longest);
    }
  }

  private static boolean isSpace(char letter) {
    return Character.isWhitespace(letter) || Character.isSpaceChar(letter) || letter == 0x85;
  }
}
