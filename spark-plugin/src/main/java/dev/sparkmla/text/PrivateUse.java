package dev.sparkmla.text;

import java.security.SecureRandom;

/** Random texts of private-use characters: names that no user's text can be expected to hold. */
final class PrivateUse {
  private static final int LENGTH = 8;
  private static final char FIRST = '\uE000';
  private static final int SIZE = 0xF900 - 0xE000;

  private PrivateUse() {}

  /** A text of {@value #LENGTH} characters, drawn anew. */
  static String randomText(SecureRandom random) {
    StringBuilder text = new StringBuilder(LENGTH);
    random.ints(LENGTH, 0, SIZE).forEach(value -> text.append((char) (FIRST + value)));
    return text.toString();
  }
}
