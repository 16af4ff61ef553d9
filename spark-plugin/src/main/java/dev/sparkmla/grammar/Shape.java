package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;

/**
 * What a schema says of the values of one JSON type: one constant, or all values within some
 * bounds. Immutable.
 */
sealed interface Shape permits ConstantShape, ArrayShape, NumberShape, ObjectShape, StringShape {
  /** The type of its values. */
  JsonType type();

  /**
   * The values that are in both.
   *
   * @param other of the same class
   * @return empty when there is none
   */
  Optional<Shape> and(Shape other);

  /** Whether a value of its type is in it. */
  boolean admits(JsonNode value, SchemaReader reader);

  /**
   * Whether no text that is written for it is valid for another shape, as far as their bounds tell.
   *
   * @param other of its type, and no constant
   */
  boolean excludes(Shape other, Exclusion exclusion);

  /** How its values are written; {@link Expression#NONE} when there is none. */
  Expression expression(ValueWriter writer);
}
