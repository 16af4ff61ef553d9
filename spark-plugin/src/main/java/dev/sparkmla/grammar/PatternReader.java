package dev.sparkmla.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads regular expressions as ECMAScript has them with its flag {@code u} (ECMA-262, 22.2.1), as
 * far as they are regular. For one thread.
 */
final class PatternReader {
  private static final int MOST_LENGTH = 100_000;
  private static final int MOST_DEPTH = 100;

  private static final Pattern BRACES = Pattern.compile("\\{([0-9]+)(,([0-9]*))?}");
  private static final Pattern GROUP_NAME = Pattern.compile("\\?<[\\p{L}_$][\\p{L}\\p{N}_$]*>");
  private static final Expression ANYTHING =
      new Expression.Repetition(
          new Expression.Character(CharacterSet.ALL), Expression.EMPTY, 0, Expression.UNBOUNDED);
  private static final CharacterSet NOT_LINE_ENDS =
      CharacterSet.of("\n\r\u2028\u2029").complement();

  /** How often a part stands, and where the pattern goes on. */
  private record Quantifier(int least, int most, int end) {}

  private final String pattern;
  private final Expression beside;
  private final Budget budget;
  private final PatternEscapes escapes;

  /** [pattern's length]: where the group closes that opens at an index. */
  private final int[] closing;

  private int next;

  private PatternReader(String pattern, Expression beside, Budget budget) {
    if (pattern.length() > MOST_LENGTH) {
      throw new InvalidResponseFormatException(
          "the pattern has " + pattern.length() + " characters; at most " + MOST_LENGTH);
    }
    this.pattern = pattern;
    this.beside = beside;
    this.budget = budget;
    this.escapes = new PatternEscapes(pattern);
    this.closing = closing();
  }

  /**
   * The texts that a pattern matches as a whole, with or without anchors.
   *
   * @throws InvalidResponseFormatException naming a construct that is not supported, and its place
   */
  static Expression whole(String pattern, Budget budget) {
    return read(pattern, Expression.EMPTY, budget);
  }

  /**
   * The texts in which a pattern matches somewhere, as JSON schema's {@code pattern} wants it:
   * where no anchor stands, there may be anything beside the match.
   *
   * @throws InvalidResponseFormatException naming a construct that is not supported, and its place
   */
  static Expression search(String pattern, Budget budget) {
    return read(pattern, ANYTHING, budget);
  }

  private static Expression read(String pattern, Expression beside, Budget budget) {
    PatternReader reader = new PatternReader(pattern, beside, budget);
    return reader.alternatives(pattern.length(), true, true);
  }

  /** Finds each group's end beforehand, since what follows it decides how it is read. */
  private int[] closing() {
    int[] ends = new int[pattern.length()];
    Deque<Integer> open = new ArrayDeque<>();
    boolean inClass = false;
    for (int i = 0; i < pattern.length(); i++) {
      char character = pattern.charAt(i);
      if (character == '\\') {
        i++;
      } else if (inClass) {
        inClass = character != ']';
      } else if (character == '[') {
        inClass = true;
      } else if (character == '(') {
        open.push(i);
        if (open.size() > MOST_DEPTH) {
          throw PatternProblem.of("groups nested more than " + MOST_DEPTH + " deep", i);
        }
      } else if (character == ')') {
        if (open.isEmpty()) {
          throw PatternProblem.of("a ')' that closes no group", i);
        }
        ends[open.pop()] = i;
      }
    }
    if (!open.isEmpty()) {
      throw PatternProblem.of("a group that is not closed", open.pop());
    }
    return ends;
  }

  /**
   * Alternatives up to an end.
   *
   * @param first whether nothing of the pattern stands before them, so that an anchor may
   * @param last whether nothing stands after them
   */
  private Expression alternatives(int end, boolean first, boolean last) {
    List<Expression> alternatives = new ArrayList<>();
    alternatives.add(alternative(end, first, last));
    while (next < end) {
      next++;
      alternatives.add(alternative(end, first, last));
    }
    return alternatives.size() == 1 ? alternatives.get(0) : new Expression.Choice(alternatives);
  }

  private Expression alternative(int end, boolean first, boolean last) {
    List<Expression> parts = new ArrayList<>();
    boolean bare = first;
    while (first && next < end && pattern.charAt(next) == '^') {
      next++;
      bare = false;
    }
    if (bare && !groupIsAtStart(end)) {
      parts.add(beside);
      bare = false;
    }
    boolean tail = last;
    StringBuilder literal = new StringBuilder();
    while (next < end && pattern.charAt(next) != '|') {
      if (last && pattern.charAt(next) == '$' && onlyAnchorsFollow(end)) {
        tail = false;
        skipAnchors(end);
        break;
      }
      if (pattern.charAt(next) == '(') {
        flush(literal, parts);
        boolean groupLast = last && isLast(closing[next] + 1, end);
        parts.add(group(bare, groupLast));
        tail = last && !groupLast;
        bare = false;
      } else {
        term(literal, parts);
        tail = last;
      }
    }
    flush(literal, parts);
    if (tail) {
      parts.add(beside);
    }
    return parts.size() == 1 ? parts.get(0) : new Expression.Sequence(parts);
  }

  /** Whether a group that is not repeated comes next, which then has the beginning in it. */
  private boolean groupIsAtStart(int end) {
    return next < end
        && pattern.charAt(next) == '('
        && quantifier(closing[next] + 1).end() == closing[next] + 1;
  }

  private boolean isLast(int index, int end) {
    return index == end || pattern.charAt(index) == '|';
  }

  private boolean onlyAnchorsFollow(int end) {
    int index = next;
    while (index < end && pattern.charAt(index) == '$') {
      index++;
    }
    return isLast(index, end);
  }

  private void skipAnchors(int end) {
    while (next < end && pattern.charAt(next) == '$') {
      next++;
    }
  }

  private static void flush(StringBuilder literal, List<Expression> parts) {
    if (!literal.isEmpty()) {
      parts.add(new Expression.Literal(literal.toString()));
      literal.setLength(0);
    }
  }

  private Expression group(boolean first, boolean last) {
    int open = next++;
    if (pattern.startsWith("?", next)) {
      groupKind(open);
    }
    Expression body = alternatives(closing[open], first, last);
    next = closing[open] + 1;
    return repeated(body);
  }

  private void groupKind(int open) {
    Matcher name = GROUP_NAME.matcher(pattern).region(next, closing[open]);
    if (pattern.startsWith("?:", next)) {
      next += 2;
    } else if (pattern.startsWith("?=", next) || pattern.startsWith("?!", next)) {
      throw PatternProblem.unsupported("a lookahead", open);
    } else if (pattern.startsWith("?<=", next) || pattern.startsWith("?<!", next)) {
      throw PatternProblem.unsupported("a lookbehind", open);
    } else if (name.lookingAt()) {
      next = name.end();
    } else {
      throw PatternProblem.unsupported(
          "a group of the kind '" + pattern.substring(open, open + 2) + "'", open);
    }
  }

  /** One character, class or escape with its quantifier; plain characters gather as a literal. */
  private void term(StringBuilder literal, List<Expression> parts) {
    int start = next;
    char character = pattern.charAt(next);
    CharacterSet set;
    switch (character) {
      case '^' ->
          throw PatternProblem.unsupported("the anchor ^ elsewhere than where it begins", start);
      case '$' ->
          throw PatternProblem.unsupported("the anchor $ elsewhere than where it ends", start);
      case '*', '+', '?' ->
          throw PatternProblem.of("a '" + character + "' that repeats nothing", start);
      case '.' -> {
        next++;
        set = NOT_LINE_ENDS;
      }
      case '[' -> set = characterClass();
      case '\\' -> {
        set = escapes.outside(next);
        next = escapes.end();
      }
      default -> {
        if (quantifier(next).end() > next) {
          throw PatternProblem.of("a quantifier that repeats nothing", start);
        }
        int codePoint = pattern.codePointAt(next);
        next += Character.charCount(codePoint);
        set = escapes.character(codePoint, start);
      }
    }
    budget.spend(1 + set.ranges().size());
    if (set.isOne() && quantifier(next).end() == next) {
      literal.appendCodePoint(set.ranges().get(0).least());
    } else {
      flush(literal, parts);
      parts.add(repeated(new Expression.Character(set)));
    }
  }

  private CharacterSet characterClass() {
    int start = next++;
    boolean negated = pattern.startsWith("^", next);
    if (negated) {
      next++;
    }
    List<CharacterSet.Range> ranges = new ArrayList<>();
    while (!pattern.startsWith("]", next)) {
      int at = next;
      CharacterSet least = classCharacter(start);
      CharacterSet range = least;
      if (pattern.startsWith("-", next) && !pattern.startsWith("-]", next)) {
        next++;
        CharacterSet largest = classCharacter(start);
        range = range(least, largest, at);
      }
      budget.spend(range.ranges().size());
      ranges.addAll(range.ranges());
    }
    next++;
    CharacterSet set = CharacterSet.of(ranges);
    return negated ? set.complement() : set;
  }

  private CharacterSet range(CharacterSet least, CharacterSet largest, int at) {
    if (!least.isOne() || !largest.isOne()) {
      throw PatternProblem.of("a range from or to a class of characters", at);
    }
    int from = least.ranges().get(0).least();
    int to = largest.ranges().get(0).least();
    if (from > to) {
      throw PatternProblem.of("a range that ends before it begins", at);
    }
    return CharacterSet.of(from, to);
  }

  private CharacterSet classCharacter(int start) {
    if (next >= pattern.length()) {
      throw PatternProblem.of("a class of characters that is not closed", start);
    }
    if (pattern.charAt(next) == '\\') {
      CharacterSet set = escapes.inClass(next);
      next = escapes.end();
      return set;
    }
    int at = next;
    int codePoint = pattern.codePointAt(next);
    next += Character.charCount(codePoint);
    return escapes.character(codePoint, at);
  }

  private Expression repeated(Expression part) {
    Quantifier quantifier = quantifier(next);
    if (quantifier.end() == next) {
      return part;
    }
    if (quantifier.most() < quantifier.least()) {
      throw PatternProblem.of("a quantifier whose largest number is below its least", next);
    }
    next = quantifier.end();
    if (pattern.startsWith("?", next)) {
      next++; // lazy: the same texts
    }
    if (quantifier(next).end() > next) {
      throw PatternProblem.of("a quantifier that repeats nothing", next);
    }
    return new Expression.Repetition(part, Expression.EMPTY, quantifier.least(), quantifier.most());
  }

  /** The quantifier at an index; exactly once and ending there where none is. */
  private Quantifier quantifier(int index) {
    char character = index < pattern.length() ? pattern.charAt(index) : ' ';
    return switch (character) {
      case '*' -> new Quantifier(0, Expression.UNBOUNDED, index + 1);
      case '+' -> new Quantifier(1, Expression.UNBOUNDED, index + 1);
      case '?' -> new Quantifier(0, 1, index + 1);
      case '{' -> braces(index);
      default -> new Quantifier(1, 1, index);
    };
  }

  /** A brace that opens no quantifier stands for itself, as where the flag u is not set. */
  private Quantifier braces(int index) {
    Matcher matcher = BRACES.matcher(pattern).region(index, pattern.length());
    if (!matcher.lookingAt()) {
      return new Quantifier(1, 1, index);
    }
    int least = number(matcher.group(1), index);
    String most = matcher.group(3);
    if (matcher.group(2) == null) {
      return new Quantifier(least, least, matcher.end());
    }
    return new Quantifier(
        least, most.isEmpty() ? Expression.UNBOUNDED : number(most, index), matcher.end());
  }

  private int number(String digits, int index) {
    if (digits.length() > 9) {
      throw PatternProblem.of("a repetition of " + digits + " times", index);
    }
    return Integer.parseInt(digits);
  }
}
