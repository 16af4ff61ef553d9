package dev.sparkmla.grammar;

/** How the characters of a text are written. */
enum Spelling {
  /** As they are. */
  PLAIN(CharacterSet.ALL, 0),
  /**
   * Within a JSON string: control characters, quotes and backslashes escaped as Jackson does. The
   * byte that begins a character has the label by which characters are counted.
   */
  JSON(CharacterSet.of(0, 0x1F).or(CharacterSet.of("\"\\")).complement(), Label.COUNTED);

  /** The control characters that have short escapes, and the letters of these. */
  private static final String SHORT = "\b\t\n\f\r\"\\";

  private static final String LETTERS = "btnfr\"\\";

  private final CharacterSet unescaped;
  private final int first;

  Spelling(CharacterSet unescaped, int first) {
    this.unescaped = unescaped;
    this.first = first;
  }

  /** The characters that stand for themselves. */
  CharacterSet unescaped() {
    return unescaped;
  }

  /** What the label of a character's first byte is higher by. */
  int first() {
    return first;
  }

  /** How a character is written. */
  String spelled(int character) {
    if (unescaped.contains(character)) {
      return Character.toString(character);
    }
    int index = SHORT.indexOf(character);
    return index >= 0 ? "\\" + LETTERS.charAt(index) : String.format("\\u%04X", character);
  }
}
