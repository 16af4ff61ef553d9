package dev.sparkmla.text;

import java.security.SecureRandom;

/** Texts that stand for something and that nobody can know, of private-use characters. */
final class PrivateUse {
  private static final int LENGTH = 8;
  private static final char FIRST = '\uE000';
  private static final int SIZE = 0xF900 - 0xE000;

  private PrivateUse() {}

  /** Another such text. */
  static String randomText(SecureRandom random) {
    StringBuilder text = new StringBuilder(LENGTH);
    random.ints(LENGTH, 0, SIZE).forEach(value -> text.append((char) (FIRST + value)));
    return text.toString();
  }
}
