package dev.sparkmla.text;

/** Halves of surrogate pairs that stand alone in a text, which UTF-8 cannot hold. */
public final class LoneSurrogates {
  private LoneSurrogates() {}

  /** The text with U+FFFD in the place of each; the same string where there is none. */
  public static String replaced(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (Character.charCount(text.codePointAt(i)) == 1) {
          return replaceAll(text);
        }
        i++;
      }
    }
    return text;
  }

  private static String replaceAll(String text) {
    return text.codePoints()
        .map(point -> point >= 0xD800 && point <= 0xDFFF ? 0xFFFD : point)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }
}
