package dev.sparkmla.text;

import dev.sparkmla.text.LinearPattern.Work;

/**
 * Refuses texts with runs of white space, or of other characters, that are too long for the regular
 * expression engine of the tokenizer library. The engine gives up after ten million attempts at one
 * place of a text, which ends the process; a linear pattern makes about one attempt for each
 * character of a run. Immutable.
 */
final class TextRuns {
  /**
   * In characters: far below the engine's limit, and far above what fits a model's context window.
   */
  private static final int LONGEST = 1 << 19;

  /**
   * In characters, where attempts grow with the square of the length: half a billion of them, which
   * take about a second.
   */
  private static final int LONGEST_SQUARED = 1 << 15;

  private final int longestSpace;

  /**
   * @param work how much work the tokenizer's patterns take
   */
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
   * @throws TextTooLongException naming the length of the run and the longest one that is accepted
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
