package dev.sparkmla.grammar;

/**
 * What the transitions of automata mean while a response format is built: bytes, bytes that begin a
 * character of a counted string, and whole counted strings.
 */
final class Label {
  /** How many bytes there are. */
  static final int BYTES = 256;

  /** The first byte of a character, by which a string's counter counts, is this much higher. */
  static final int COUNTED = BYTES;

  /** The first of the labels that stand for a counted string with its quotes. */
  static final int STRINGS = 2 * BYTES;

  private Label() {}

  /** Whether a label is a byte that begins a counted character. */
  static boolean isCounted(int label) {
    return label >= COUNTED && label < STRINGS;
  }
}
