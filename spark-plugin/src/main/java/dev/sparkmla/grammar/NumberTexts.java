package dev.sparkmla.grammar;

import dev.sparkmla.grammar.NumberRange.Bound;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How numbers are written: {@code -}, digits without a zero in front, {@code .} and digits. Zeros
 * at the end of a fraction are allowed.
 */
final class NumberTexts {
  /** The most digits before the point where no bound has more. */
  static final int MOST_DIGITS = 18;

  /** The most digits of an exponent. */
  static final int MOST_EXPONENT_DIGITS = 2;

  private static final Expression MINUS = new Expression.Literal("-");
  private static final Expression POINT = new Expression.Literal(".");
  private static final Expression NOT_ZERO = new Expression.Character(CharacterSet.of('1', '9'));

  private NumberTexts() {}

  /** Numbers without a bound, which may have an exponent. */
  static Expression any() {
    Expression exponent =
        Expression.sequence(
            new Expression.Character(CharacterSet.of("eE")),
            optional(new Expression.Character(CharacterSet.of("+-"))),
            DigitTexts.any(1, MOST_EXPONENT_DIGITS));
    Expression digits =
        Expression.choice(
            new Expression.Literal("0"),
            Expression.sequence(NOT_ZERO, DigitTexts.any(0, MOST_DIGITS - 1)));
    Expression fraction =
        Expression.sequence(POINT, DigitTexts.any(1, NumberShape.MOST_FRACTION_DIGITS));
    return Expression.sequence(optional(MINUS), digits, optional(fraction), optional(exponent));
  }

  private static Expression optional(Expression part) {
    return Expression.choice(Expression.EMPTY, part);
  }

  /**
   * Numbers of a range, without exponents. 0 has no minus.
   *
   * @param fractionDigits the most digits after the point
   * @return {@link Expression#NONE} when there is no such number
   */
  static Expression of(NumberRange range, int fractionDigits) {
    return Expression.choice(
        magnitudes(range.from(BigDecimal.ZERO, true), fractionDigits),
        Expression.sequence(
            MINUS, magnitudes(range.negated().from(BigDecimal.ZERO, false), fractionDigits)));
  }

  /** Numbers of a range that has a lower bound of 0 or more. */
  private static Expression magnitudes(NumberRange range, int fractionDigits) {
    Bound least = range.least().orElseThrow();
    Bound most = range.most().orElseGet(() -> farthest(least));
    if (new NumberRange(range.least(), Optional.of(most)).isEmpty()) {
      return Expression.NONE;
    }
    return fractionDigits == 0 ? integers(least, most) : decimals(least, most, fractionDigits);
  }

  /** The upper bound where a range has none. */
  private static Bound farthest(Bound least) {
    int digits = least.value().precision() - least.value().scale();
    return new Bound(BigDecimal.TEN.pow(Math.max(MOST_DIGITS, digits)), false);
  }

  private static Expression integers(Bound least, Bound most) {
    BigInteger first = least.value().setScale(0, RoundingMode.CEILING).toBigInteger();
    BigInteger last = most.value().setScale(0, RoundingMode.FLOOR).toBigInteger();
    boolean afterFirst = !least.inclusive() && isWhole(least.value());
    boolean beforeLast = !most.inclusive() && isWhole(most.value());
    return integers(
        afterFirst ? first.add(BigInteger.ONE) : first,
        beforeLast ? last.subtract(BigInteger.ONE) : last);
  }

  private static boolean isWhole(BigDecimal value) {
    return value.stripTrailingZeros().scale() <= 0;
  }

  /** Integers of 0 or more, both ends included. */
  private static Expression integers(BigInteger first, BigInteger last) {
    if (first.compareTo(last) > 0) {
      return Expression.NONE;
    }
    if (first.signum() == 0) {
      return Expression.choice(new Expression.Literal("0"), integers(BigInteger.ONE, last));
    }
    int fewest = digits(first);
    int most = digits(last);
    BigInteger lowest = power(fewest - 1);
    BigInteger highest = power(most).subtract(BigInteger.ONE);
    if (fewest == most && !(first.equals(lowest) && last.equals(highest))) {
      return DigitTexts.integers(first, last);
    }
    List<Expression> lengths = new ArrayList<>();
    if (!first.equals(lowest)) {
      lengths.add(DigitTexts.integers(first, power(fewest).subtract(BigInteger.ONE)));
      fewest++;
    }
    if (!last.equals(highest)) {
      lengths.add(DigitTexts.integers(power(most - 1), last));
      most--;
    }
    if (fewest <= most) {
      lengths.add(Expression.sequence(NOT_ZERO, DigitTexts.any(fewest - 1, most - 1)));
    }
    return Expression.choice(lengths);
  }

  private static int digits(BigInteger positive) {
    return new BigDecimal(positive).precision();
  }

  private static BigInteger power(int exponent) {
    return BigInteger.TEN.pow(exponent);
  }

  private static Expression decimals(Bound least, Bound most, int fractionDigits) {
    BigInteger first = least.value().toBigInteger();
    BigInteger last = most.value().toBigInteger();
    if (first.equals(last)) {
      return decimals(first, new DigitTexts(end(least), end(most), 0, fractionDigits));
    }
    DigitTexts fromFirst = new DigitTexts(end(least), Optional.empty(), 0, fractionDigits);
    DigitTexts toLast = new DigitTexts(Optional.empty(), end(most), 0, fractionDigits);
    Expression between = integers(first.add(BigInteger.ONE), last.subtract(BigInteger.ONE));
    Expression anyFraction = Expression.sequence(POINT, DigitTexts.any(1, fractionDigits));
    return Expression.choice(
        decimals(first, fromFirst),
        Expression.sequence(between, optional(anyFraction)),
        decimals(last, toLast));
  }

  /** The numbers of one whole part. */
  private static Expression decimals(BigInteger whole, DigitTexts fractions) {
    return Expression.sequence(
        new Expression.Literal(whole.toString()),
        Expression.choice(
            fractions.allowNone() ? Expression.EMPTY : Expression.NONE,
            Expression.sequence(POINT, fractions.some())));
  }

  /** The fraction of a bound. */
  private static Optional<DigitTexts.End> end(Bound bound) {
    BigDecimal fraction = bound.value().remainder(BigDecimal.ONE).stripTrailingZeros();
    String digits = fraction.signum() == 0 ? "" : fraction.toPlainString().substring(2);
    return Optional.of(new DigitTexts.End(digits, bound.inclusive()));
  }
}
