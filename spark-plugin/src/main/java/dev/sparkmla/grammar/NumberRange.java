package dev.sparkmla.grammar;

import java.math.BigDecimal;
import java.util.Optional;

/**
 * Numbers from one bound to another. Immutable.
 *
 * @param least the lower bound; empty for none
 * @param most the upper bound; empty for none
 */
record NumberRange(Optional<Bound> least, Optional<Bound> most) {
  /** The most digits of a bound before the point, and after it. */
  static final int MOST_BOUND_DIGITS = 40;

  static final NumberRange ALL = new NumberRange(Optional.empty(), Optional.empty());

  /**
   * One end.
   *
   * @param value without zeros at the end of its fraction
   * @param inclusive whether the value itself is in the range
   */
  record Bound(BigDecimal value, boolean inclusive) {}

  /** The numbers of this range from a lower bound on. */
  NumberRange from(BigDecimal value, boolean inclusive) {
    return and(new NumberRange(Optional.of(new Bound(value, inclusive)), Optional.empty()));
  }

  /** The numbers of this range up to an upper bound. */
  NumberRange to(BigDecimal value, boolean inclusive) {
    return and(new NumberRange(Optional.empty(), Optional.of(new Bound(value, inclusive))));
  }

  /** The numbers that are in both. */
  NumberRange and(NumberRange other) {
    return new NumberRange(tighter(least, other.least, 1), tighter(most, other.most, -1));
  }

  private static Optional<Bound> tighter(
      Optional<Bound> left, Optional<Bound> right, int direction) {
    if (left.isEmpty() || right.isEmpty()) {
      return left.isEmpty() ? right : left;
    }
    int order = left.get().value.compareTo(right.get().value) * direction;
    return order > 0 || order == 0 && !left.get().inclusive ? left : right;
  }

  /** Whether no number is in the range. */
  boolean isEmpty() {
    if (least.isEmpty() || most.isEmpty()) {
      return false;
    }
    int order = least.get().value.compareTo(most.get().value);
    return order > 0 || order == 0 && !(least.get().inclusive && most.get().inclusive);
  }

  /** Whether a number is in the range. */
  boolean contains(BigDecimal number) {
    return !and(new NumberRange(
            Optional.of(new Bound(number, true)), Optional.of(new Bound(number, true))))
        .isEmpty();
  }

  /** The numbers whose negatives are in this range. */
  NumberRange negated() {
    return new NumberRange(most.map(NumberRange::negated), least.map(NumberRange::negated));
  }

  private static Bound negated(Bound bound) {
    return new Bound(bound.value.negate(), bound.inclusive);
  }
}
