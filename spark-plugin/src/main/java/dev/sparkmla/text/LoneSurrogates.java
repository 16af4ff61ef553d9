package dev.sparkmla.text;

/**
 * Replaces lone surrogates: halves of surrogate pairs without their other half, which UTF-8 cannot
 * encode.
 */
public final class LoneSurrogates {
  private LoneSurrogates() {}

  /** The text with U+FFFD instead of each lone surrogate; the same string if it has none. */
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
