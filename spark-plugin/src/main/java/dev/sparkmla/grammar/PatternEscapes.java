package dev.sparkmla.grammar;

import java.util.Map;

/** Reads the escapes of a pattern. For one thread. */
final class PatternEscapes {
  private static final CharacterSet DIGITS = CharacterSet.of('0', '9');
  private static final CharacterSet WORDS =
      DIGITS.or(CharacterSet.of('a', 'z')).or(CharacterSet.of('A', 'Z')).or(CharacterSet.of("_"));
  private static final CharacterSet SPACES =
      CharacterSet.of("\t\n\u000B\f\r \u00A0\u1680\u2028\u2029\u202F\u205F\u3000\uFEFF")
          .or(CharacterSet.of(0x2000, 0x200A));

  private static final Map<Character, CharacterSet> CLASSES =
      Map.of(
          'd',
          DIGITS,
          'D',
          DIGITS.complement(),
          'w',
          WORDS,
          'W',
          WORDS.complement(),
          's',
          SPACES,
          'S',
          SPACES.complement());

  private static final Map<Character, Integer> CONTROLS =
      Map.of('t', 0x09, 'n', 0x0A, 'v', 0x0B, 'f', 0x0C, 'r', 0x0D);

  private final String pattern;
  private int end;

  PatternEscapes(String pattern) {
    this.pattern = pattern;
  }

  /** Where the escape that was read last ends. */
  int end() {
    return end;
  }

  /** The characters of an escape within a class. */
  CharacterSet inClass(int start) {
    if (pattern.startsWith("\\b", start)) {
      end = start + 2;
      return CharacterSet.of("\b");
    }
    return read(start);
  }

  /** The characters of an escape outside of classes. */
  CharacterSet outside(int start) {
    char kind = kind(start);
    if (kind == 'b' || kind == 'B') {
      throw PatternProblem.unsupported("the word boundary \\" + kind, start);
    }
    if (kind >= '1' && kind <= '9' || kind == 'k') {
      throw PatternProblem.unsupported("the back reference \\" + kind, start);
    }
    return read(start);
  }

  /** A character that stands for itself. */
  CharacterSet character(int codePoint, int start) {
    CharacterSet set = CharacterSet.of(codePoint, codePoint);
    if (!set.isOne()) {
      throw PatternProblem.of("half a surrogate pair", start);
    }
    return set;
  }

  private char kind(int start) {
    if (start + 1 >= pattern.length()) {
      throw PatternProblem.of("a backslash at its end", start);
    }
    return pattern.charAt(start + 1);
  }

  private CharacterSet read(int start) {
    char kind = kind(start);
    end = start + 2;
    if (CLASSES.containsKey(kind)) {
      return CLASSES.get(kind);
    }
    if (CONTROLS.containsKey(kind)) {
      return character(CONTROLS.get(kind), start);
    }
    return switch (kind) {
      case 'p' -> category(start);
      case 'P' -> category(start).complement();
      case 'x' -> character(hexadecimal(start, start + 2, start + 4), start);
      case 'u' -> unicode(start);
      case 'c' -> control(start);
      case '0' -> nul(start);
      default -> itself(start);
    };
  }

  private CharacterSet category(int start) {
    int close = pattern.indexOf('}', start);
    if (!pattern.startsWith("{", end) || close < 0) {
      throw PatternProblem.of("a \\" + kind(start) + " without a name in braces", start);
    }
    String name = pattern.substring(end + 1, close);
    end = close + 1;
    return UnicodeCategory.of(name.replaceFirst("^(General_Category|gc)=", ""))
        .orElseThrow(
            () ->
                PatternProblem.unsupported(
                    "the property "
                        + (name.length() > 40 ? name.substring(0, 40) + "..." : name)
                        + " (known are general categories such as L or Nd)",
                    start));
  }

  private CharacterSet unicode(int start) {
    if (pattern.startsWith("{", end)) {
      int close = pattern.indexOf('}', end);
      int codePoint = hexadecimal(start, end + 1, close);
      end++;
      return character(codePoint, start);
    }
    int unit = hexadecimal(start, start + 2, start + 6);
    if (Character.isHighSurrogate((char) unit) && pattern.startsWith("\\u", end)) {
      int low = hexadecimal(start, end + 2, end + 6);
      if (Character.isLowSurrogate((char) low)) {
        return character(Character.toCodePoint((char) unit, (char) low), start);
      }
    }
    return character(unit, start);
  }

  /** Reads a number from one index to another, up to which the escape then is read. */
  private int hexadecimal(int start, int from, int to) {
    boolean within = from < to && to <= pattern.length() && to - from <= 6;
    String digits = within ? pattern.substring(from, to) : "";
    if (!digits.matches("[0-9a-fA-F]+") || Integer.parseInt(digits, 16) > 0x10FFFF) {
      throw PatternProblem.of("a \\" + kind(start) + " without a character's number", start);
    }
    end = to;
    return Integer.parseInt(digits, 16);
  }

  private CharacterSet control(int start) {
    char letter = end < pattern.length() ? pattern.charAt(end) : ' ';
    if (!CharacterSet.of('a', 'z').or(CharacterSet.of('A', 'Z')).contains(letter)) {
      throw PatternProblem.of("a \\c without a letter", start);
    }
    end++;
    return character(letter % 32, start);
  }

  private CharacterSet nul(int start) {
    if (end < pattern.length() && DIGITS.contains(pattern.charAt(end))) {
      throw PatternProblem.unsupported("an octal escape", start);
    }
    return character(0, start);
  }

  private CharacterSet itself(int start) {
    int codePoint = pattern.codePointAt(start + 1);
    end = start + 1 + Character.charCount(codePoint);
    if (WORDS.contains(codePoint)) {
      throw PatternProblem.unsupported("the escape \\" + Character.toString(codePoint), start);
    }
    return character(codePoint, start);
  }
}
