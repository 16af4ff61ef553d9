package dev.sparkmla.text;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Proves that matching a tokenizer's regular expression takes work in proportion to the text. The
 * tokenizer library's engine backtracks, and ends the process where it gives up. So the library is
 * given a pattern only if its form shows that this cannot happen.
 *
 * <p>The form is a list of alternatives. Each is a sequence of characters, classes, assertions and
 * groups, and each of these may be repeated; a group holds the same without repetitions.
 * Backtracking costs most where an unbounded repetition is followed by something that may fail,
 * since the engine then tries the repetition at each of its lengths. With one such repetition in an
 * alternative, the work at one place of a text is linear. The work over all places is linear too if
 * another alternative matches the same repeated class and cannot fail after it: the whole run is
 * then consumed at once, and its other places are never tried.
 */
final class LinearPattern {
  /** More than any bounded repetition of published patterns; its trials multiply. */
  private static final int MOST_BOUNDED = 16;

  private static final int MOST_ALTERNATIVES = 64;
  private static final int UNBOUNDED = Integer.MAX_VALUE;

  /**
   * What may be repeated in a sequence.
   *
   * @param text as it is written
   * @param least times it has to match
   * @param most times it may match
   * @param possessive whether it keeps what it took, whatever fails after it
   * @param assertion whether it takes no characters, and may fail
   */
  private record Element(String text, int least, int most, boolean possessive, boolean assertion) {
    boolean mayFail() {
      return assertion || least > 0;
    }

    boolean isRepeated() {
      return most > 1;
    }

    /** Whether it can be tried again with fewer or more times. */
    boolean isRetried() {
      return isRepeated() && least < most && !possessive;
    }
  }

  private final String pattern;
  private int at;

  private LinearPattern(String pattern) {
    this.pattern = pattern;
  }

  /** How much work matching takes. */
  enum Work {
    /** In proportion to the text. */
    LINEAR,
    /** The same, but for runs of white space, where it grows with the square of their length. */
    SQUARE_OF_WHITE_SPACE
  }

  /**
   * Proves how much work a pattern takes.
   *
   * @throws Unproved when that cannot be seen from its form
   */
  static Work prove(String pattern) throws Unproved {
    return new LinearPattern(pattern).prove();
  }

  /** The message says what in a pattern's form is not proved to be linear. */
  static final class Unproved extends Exception {
    private static final long serialVersionUID = 1L;

    Unproved(String reason) {
      super(reason, null, false, false);
    }
  }

  private Work prove() throws Unproved {
    Work work = Work.LINEAR;
    List<List<Element>> alternatives = parseAlternatives(false);
    if (at < pattern.length()) {
      throw new Unproved("a parenthesis is closed that was not opened");
    }
    if (alternatives.size() > MOST_ALTERNATIVES) {
      throw new Unproved("it has more than " + MOST_ALTERNATIVES + " alternatives");
    }
    for (List<Element> alternative : alternatives) {
      OptionalInt retried = retried(alternative);
      if (retried.isPresent()) {
        Element repetition = alternative.get(retried.getAsInt());
        boolean passed = alternatives.stream().anyMatch(other -> passes(repetition, other));
        if (!passed && !repetition.text().equals("\\s")) {
          throw new Unproved(
              "where " + repetition.text() + " is repeated in vain, no alternative passes it");
        }
        work = passed ? work : Work.SQUARE_OF_WHITE_SPACE;
      }
    }
    return work;
  }

  /** The place of the repetition without bound that something after it may make try again. */
  private static OptionalInt retried(List<Element> alternative) throws Unproved {
    OptionalInt found = OptionalInt.empty();
    boolean bounded = false;
    for (int i = 0; i < alternative.size(); i++) {
      Element element = alternative.get(i);
      boolean followed =
          alternative.subList(i + 1, alternative.size()).stream().anyMatch(Element::mayFail);
      if (!element.isRetried() || !followed) {
        continue;
      }
      if (element.most() == UNBOUNDED) {
        if (found.isPresent()) {
          throw new Unproved("two repetitions without bound in one alternative may fail");
        }
        found = OptionalInt.of(i);
      } else {
        if (bounded) {
          throw new Unproved("two repetitions in one alternative may fail");
        }
        bounded = true;
      }
    }
    return found;
  }

  /** Whether an alternative takes all that a repetition takes, whatever comes after. */
  private static boolean passes(Element repetition, List<Element> alternative) {
    for (int i = 0; i < alternative.size(); i++) {
      Element element = alternative.get(i);
      if (element.text().equals(repetition.text()) && element.most() == UNBOUNDED) {
        return alternative.subList(i + 1, alternative.size()).stream().noneMatch(Element::mayFail);
      }
      if (element.mayFail()) {
        return false;
      }
    }
    return false;
  }

  private List<List<Element>> parseAlternatives(boolean inGroup) throws Unproved {
    List<List<Element>> alternatives = new ArrayList<>();
    List<Element> current = new ArrayList<>();
    while (at < pattern.length() && pattern.charAt(at) != ')') {
      if (pattern.charAt(at) == '|') {
        at++;
        alternatives.add(current);
        current = new ArrayList<>();
      } else {
        current.add(parseElement(inGroup));
      }
    }
    alternatives.add(current);
    for (List<Element> alternative : alternatives) {
      if (!inGroup && alternative.stream().noneMatch(e -> !e.assertion() && e.least() > 0)) {
        throw new Unproved("an alternative may match nothing");
      }
    }
    return alternatives;
  }

  private Element parseElement(boolean inGroup) throws Unproved {
    int begin = at;
    char letter = pattern.charAt(at);
    if (letter == '(') {
      return parseGroup(inGroup);
    }
    boolean assertion = letter == '^' || letter == '$';
    if (letter == '[') {
      skipClass();
    } else if (letter == '\\') {
      assertion = skipEscape();
    } else if ("*+?{}".indexOf(letter) >= 0) {
      throw new Unproved("a repetition has nothing to repeat");
    } else {
      at += Character.charCount(pattern.codePointAt(at));
    }
    Element element = parseRepetition(pattern.substring(begin, at), assertion);
    if (inGroup && (element.isRepeated() || element.least() == 0)) {
      throw new Unproved("a group holds a repetition");
    }
    return element;
  }

  /** A class in brackets, with classes in it. */
  private void skipClass() throws Unproved {
    int depth = 0;
    do {
      if (at >= pattern.length()) {
        throw new Unproved("a class does not end");
      }
      char letter = pattern.charAt(at);
      depth += letter == '[' ? 1 : letter == ']' ? -1 : 0;
      at += letter == '\\' ? 2 : 1;
    } while (depth > 0);
  }

  /** An escape; whether it is an assertion. */
  private boolean skipEscape() throws Unproved {
    if (at + 1 >= pattern.length()) {
      throw new Unproved("an escape does not end");
    }
    char kind = pattern.charAt(at + 1);
    at += 2;
    if (kind == 'p' || kind == 'P' || (kind == 'x' && pattern.startsWith("{", at))) {
      int end = pattern.indexOf('}', at);
      if (!pattern.startsWith("{", at) || end < 0) {
        throw new Unproved("an escape does not end");
      }
      at = end + 1;
    } else if (kind == 'u' || kind == 'x') {
      at = Math.min(pattern.length(), at + (kind == 'u' ? 4 : 2));
    } else if ("bBAzZ".indexOf(kind) >= 0) {
      return true;
    } else if (Character.isLetterOrDigit(kind) && "sSdDwWhHrntfve".indexOf(kind) < 0) {
      // A reference to a group, \X, \R, \K and their like are more than a class of characters.
      throw new Unproved("it holds \\" + kind);
    }
    return false;
  }

  private Element parseGroup(boolean inGroup) throws Unproved {
    int begin = at;
    boolean assertion = pattern.startsWith("(?!", at) || pattern.startsWith("(?=", at);
    int opening = 1;
    if (assertion || pattern.startsWith("(?:", at)) {
      opening = 3;
    } else if (pattern.startsWith("(?i:", at)) {
      opening = 4;
    } else if (pattern.startsWith("(?", at)) {
      throw new Unproved("it holds a group that begins with " + shown(at));
    }
    if (inGroup) {
      throw new Unproved("a group holds a group");
    }
    at += opening;
    parseAlternatives(true);
    if (at >= pattern.length()) {
      throw new Unproved("a group does not end");
    }
    at++;
    Element element = parseRepetition(pattern.substring(begin, at), assertion);
    if (element.isRepeated()) {
      throw new Unproved("a group is repeated: " + element.text());
    }
    return element;
  }

  private String shown(int begin) {
    return pattern.substring(begin, Math.min(begin + 4, pattern.length()));
  }

  private Element parseRepetition(String text, boolean assertion) throws Unproved {
    int least = 1;
    int most = 1;
    char sign = at < pattern.length() ? pattern.charAt(at) : ' ';
    if (sign == '?' || sign == '*' || sign == '+') {
      at++;
      least = sign == '+' ? 1 : 0;
      most = sign == '?' ? 1 : UNBOUNDED;
    } else if (sign == '{') {
      int end = pattern.indexOf('}', at);
      String[] bounds = end < 0 ? new String[0] : pattern.substring(at + 1, end).split(",", -1);
      if (bounds.length < 1 || bounds.length > 2) {
        throw new Unproved("a repetition has no bounds");
      }
      least = bound(bounds[0]);
      most = bounds.length == 1 ? least : bounds[1].isEmpty() ? UNBOUNDED : bound(bounds[1]);
      at = end + 1;
    }
    char mode = at < pattern.length() && (least != 1 || most != 1) ? pattern.charAt(at) : ' ';
    boolean moded = mode == '?' || mode == '+';
    if (mode == '*' || mode == '{' || (moded && sign == '{')) {
      throw new Unproved("a repetition is repeated");
    }
    at += moded ? 1 : 0;
    if (assertion && (least != 1 || most != 1)) {
      throw new Unproved("an assertion is repeated");
    }
    return new Element(text, least, most, mode == '+', assertion);
  }

  private static int bound(String digits) throws Unproved {
    if (!digits.matches("\\d{1,2}") || Integer.parseInt(digits) > MOST_BOUNDED) {
      throw new Unproved("a repetition has the bound " + digits + "; expected at most 16");
    }
    return Integer.parseInt(digits);
  }
}
