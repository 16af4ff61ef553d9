package dev.sparkmla.grammar;

import java.util.Random;

/** Random patterns that Java and ECMAScript read alike, and texts that they may match. */
final class RandomPatterns {
  private static final String[] CHARACTERS = {"a", "b", "c", "1", "é", "-"};
  private static final String[] ATOMS = {
    ".", "\\d", "\\w", "\\D", "\\W", "[ab]", "[^a]", "[a-c1]", "[^\\d-]", "\\u0062", "\\x61"
  };
  private static final String[] QUANTIFIERS = {
    "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}", "{1,}?", "{0}"
  };

  private RandomPatterns() {}

  static String text(Random random) {
    StringBuilder text = new StringBuilder();
    int length = random.nextInt(6);
    for (int i = 0; i < length; i++) {
      text.append(CHARACTERS[random.nextInt(CHARACTERS.length)]);
    }
    return text.toString();
  }

  static String pattern(Random random) {
    StringBuilder pattern = new StringBuilder();
    int alternatives = 1 + random.nextInt(3);
    for (int i = 0; i < alternatives; i++) {
      pattern.append(i == 0 ? "" : "|").append(random.nextInt(3) == 0 ? "^" : "");
      pattern.append(sequence(random, 2)).append(random.nextInt(3) == 0 ? "$" : "");
    }
    return pattern.toString();
  }

  private static String sequence(Random random, int depth) {
    StringBuilder sequence = new StringBuilder();
    int parts = random.nextInt(3);
    for (int i = 0; i < parts; i++) {
      sequence.append(atom(random, depth));
      if (random.nextInt(3) == 0) {
        sequence.append(QUANTIFIERS[random.nextInt(QUANTIFIERS.length)]);
      }
    }
    return sequence.toString();
  }

  private static String atom(Random random, int depth) {
    return switch (random.nextInt(depth == 0 ? 2 : 3)) {
      case 0 -> CHARACTERS[random.nextInt(CHARACTERS.length)];
      case 1 -> ATOMS[random.nextInt(ATOMS.length)];
      default ->
          (random.nextBoolean() ? "(" : "(?:")
              + sequence(random, depth - 1)
              + "|"
              + sequence(random, depth - 1)
              + ")";
    };
  }
}
