package dev.sparkmla.grammar;

import java.util.ArrayList;
import java.util.List;

/**
 * Writes the values that schemas allow as expressions.
 *
 * @param freeLevels how many arrays and objects of any values stand around the value
 */
record ValueWriter(SchemaReader reader, int freeLevels) {
  /** How deep values that no schema describes may stand within each other. */
  static final int MOST_FREE_LEVELS = 3;

  ValueWriter(SchemaReader reader) {
    this(reader, 0);
  }

  /**
   * How a value is written that must be valid for all of the schemas.
   *
   * @param schemas none for any value
   * @return {@link Expression#NONE} when no value is valid, or each would stand too deep
   */
  Expression value(List<SchemaPlace> schemas) {
    int levels = schemas.isEmpty() ? freeLevels + 1 : 0;
    return levels > MOST_FREE_LEVELS
        ? Expression.NONE
        : new ValueWriter(reader, levels).write(reader.alternatives(schemas));
  }

  private Expression write(Alternatives alternatives) {
    List<Expression> expressions = new ArrayList<>();
    Exclusion exclusion = new Exclusion(reader);
    for (Alternatives.Alternative alternative : alternatives.written()) {
      spendPart();
      exclusion.check(alternative);
      expressions.add(alternative.shape().expression(this));
    }
    return Expression.choice(expressions);
  }

  /** Takes the work of one part of an expression from the budget. */
  void spendPart() {
    reader.spendPart();
  }
}
