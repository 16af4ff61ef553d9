package dev.sparkmla.grammar;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Texts of digits between two others, digit by digit from the left: the digits of a fraction, which
 * count less from place to place and may end, or those of integers of one length.
 *
 * @param least the lower end; empty for none
 * @param largest the upper end; empty for none
 * @param fewestDigits the fewest digits
 * @param mostDigits the most digits
 */
record DigitTexts(Optional<End> least, Optional<End> largest, int fewestDigits, int mostDigits) {
  private static final Expression DIGIT = new Expression.Character(CharacterSet.of('0', '9'));

  /**
   * One end.
   *
   * @param digits of a fraction, without zeros at its end
   * @param inclusive whether texts that are equal to it are among them
   */
  record End(String digits, boolean inclusive) {
    private int digit(int place) {
      return place < digits.length() ? digits.charAt(place) - '0' : 0;
    }

    private boolean isZeroFrom(int place) {
      return digits.chars().skip(place).allMatch(digit -> digit == '0');
    }
  }

  /** So many digits. */
  static Expression any(int fewest, int most) {
    return new Expression.Repetition(DIGIT, Expression.EMPTY, fewest, most);
  }

  /**
   * Integers with as many digits each as both ends have.
   *
   * @param first the first of them
   * @param last the last of them
   */
  static Expression integers(BigInteger first, BigInteger last) {
    int length = first.toString().length();
    return new DigitTexts(
            Optional.of(new End(first.toString(), true)),
            Optional.of(new End(last.toString(), true)),
            length,
            length)
        .some();
  }

  /** One digit or more. */
  Expression some() {
    return from(0, isAboveLeast(0, least.isPresent()), largest.isPresent());
  }

  /** Whether no digit at all, which counts as 0, is between the ends. */
  boolean allowNone() {
    return mayEnd(0, isAboveLeast(0, least.isPresent()), largest.isPresent());
  }

  /** Whether digits that began as the lower end did must still be compared with it. */
  private boolean isAboveLeast(int place, boolean atLeast) {
    return atLeast && !(least.get().inclusive && least.get().isZeroFrom(place));
  }

  private boolean mayEnd(int place, boolean atLeast, boolean atLargest) {
    return place >= fewestDigits
        && !atLeast
        && (!atLargest || largest.get().inclusive || place < largest.get().digits.length());
  }

  /**
   * The digits from a place on, none among them where they may end there.
   *
   * @param began whether the digits before are those of the lower end
   * @param atLargest whether they are those of the upper end
   */
  private Expression rest(int place, boolean began, boolean atLargest) {
    boolean atLeast = isAboveLeast(place, began);
    if (!atLeast && !atLargest) {
      return any(Math.max(0, fewestDigits - place), mostDigits - place);
    }
    return Expression.choice(
        mayEnd(place, atLeast, atLargest) ? Expression.EMPTY : Expression.NONE,
        from(place, atLeast, atLargest));
  }

  /** A digit at a place and the digits behind it. */
  private Expression from(int place, boolean atLeast, boolean atLargest) {
    int lowest = atLeast ? least.get().digit(place) : 0;
    int highest = atLargest ? largest.get().digit(place) : 9;
    if (place == mostDigits || lowest > highest) {
      return Expression.NONE;
    }
    if (atLeast && atLargest && lowest == highest) {
      return digits(lowest, highest, rest(place + 1, true, true));
    }
    List<Expression> ways = new ArrayList<>();
    if (atLeast) {
      ways.add(digits(lowest, lowest, rest(place + 1, true, false)));
      lowest++;
    }
    if (atLargest) {
      ways.add(digits(highest, highest, rest(place + 1, false, true)));
      highest--;
    }
    if (lowest <= highest) {
      ways.add(digits(lowest, highest, rest(place + 1, false, false)));
    }
    return Expression.choice(ways);
  }

  private static Expression digits(int lowest, int highest, Expression rest) {
    CharacterSet set = CharacterSet.of('0' + lowest, '0' + highest);
    return Expression.sequence(new Expression.Character(set), rest);
  }
}
