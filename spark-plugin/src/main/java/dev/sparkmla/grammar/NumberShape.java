package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.util.Optional;
import java.util.Set;

/**
 * Numbers, integers among them.
 *
 * @param range from where to where
 * @param fractionDigits the most digits after the point, or {@link Expression#UNBOUNDED}; 0 for
 *     integers
 */
record NumberShape(NumberRange range, int fractionDigits) implements Shape {
  static final Set<String> KEYWORDS =
      Set.of("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf");

  /** The most digits after the point that are written. */
  static final int MOST_FRACTION_DIGITS = 20;

  /** Decimal numbers of so many digits differ as doubles, too. */
  private static final int DOUBLE_DIGITS = 15;

  static final NumberShape ANY = new NumberShape(NumberRange.ALL, Expression.UNBOUNDED);

  /** The numbers that are valid for a schema. */
  static NumberShape read(SchemaPlace place) {
    NumberRange range = NumberRange.ALL;
    if (place.has("minimum")) {
      range = range.from(bound(place, "minimum"), true);
    }
    if (place.has("exclusiveMinimum")) {
      range = range.from(bound(place, "exclusiveMinimum"), false);
    }
    if (place.has("maximum")) {
      range = range.to(bound(place, "maximum"), true);
    }
    if (place.has("exclusiveMaximum")) {
      range = range.to(bound(place, "exclusiveMaximum"), false);
    }
    return new NumberShape(range, fractionDigits(place));
  }

  private static BigDecimal bound(SchemaPlace place, String keyword) {
    JsonNode bound = place.schema().get(keyword);
    if (!bound.isNumber()) {
      throw place.wrong(keyword, "a number");
    }
    BigDecimal value = bound.decimalValue().stripTrailingZeros();
    if (value.scale() > NumberRange.MOST_BOUND_DIGITS
        || value.precision() - (long) value.scale() > NumberRange.MOST_BOUND_DIGITS) {
      throw place.wrong(
          keyword,
          "a number of at most "
              + NumberRange.MOST_BOUND_DIGITS
              + " digits before the point and as many after it");
    }
    return value;
  }

  private static int fractionDigits(SchemaPlace place) {
    if (!place.has("multipleOf")) {
      return Expression.UNBOUNDED;
    }
    JsonNode divisor = place.schema().get("multipleOf");
    BigDecimal value =
        divisor.isNumber() ? divisor.decimalValue().stripTrailingZeros() : BigDecimal.ZERO;
    if (value.precision() != 1
        || value.unscaledValue().intValue() != 1
        || value.scale() < 0
        || value.scale() > NumberRange.MOST_BOUND_DIGITS) {
      throw place.wrong(
          "multipleOf",
          "1, 0.1, 0.01 and so on to "
              + NumberRange.MOST_BOUND_DIGITS
              + " digits; others are not supported");
    }
    return value.scale();
  }

  /** The integers of these numbers. */
  NumberShape integers() {
    return new NumberShape(range, 0);
  }

  @Override
  public JsonType type() {
    return JsonType.NUMBER;
  }

  @Override
  public Optional<Shape> and(Shape other) {
    NumberShape numbers = (NumberShape) other;
    NumberRange both = range.and(numbers.range);
    return both.isEmpty()
        ? Optional.empty()
        : Optional.of(new NumberShape(both, Math.min(fractionDigits, numbers.fractionDigits)));
  }

  @Override
  public boolean admits(JsonNode value, SchemaReader reader) {
    BigDecimal number = value.decimalValue().stripTrailingZeros();
    return range.contains(number) && number.scale() <= fractionDigits;
  }

  @Override
  public boolean excludes(Shape other, Exclusion exclusion) {
    return range.and(((NumberShape) other).range).isEmpty();
  }

  @Override
  public Expression expression(ValueWriter writer) {
    writer.spendPart();
    if (range.equals(NumberRange.ALL) && fractionDigits == Expression.UNBOUNDED) {
      return NumberTexts.any();
    }
    int digits = Math.min(distinctDigits(range.least()), distinctDigits(range.most()));
    return NumberTexts.of(range, Math.min(fractionDigits, digits));
  }

  /** So many digits after the point that a number is not the bound when it is read as a double. */
  private static int distinctDigits(Optional<NumberRange.Bound> bound) {
    if (bound.isEmpty() || bound.get().inclusive()) {
      return MOST_FRACTION_DIGITS;
    }
    BigDecimal value = bound.get().value();
    int wholeDigits = Math.max(0, value.precision() - value.scale());
    return Math.max(0, DOUBLE_DIGITS - wholeDigits);
  }
}
