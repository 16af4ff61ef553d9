package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One value, written as the schema has it.
 *
 * @param value the value
 */
record ConstantShape(JsonNode value) implements Shape {
  /** JSON schema compares numbers by their values: 1 equals 1.0. */
  private static final Comparator<JsonNode> NUMBERS_BY_VALUE =
      (left, right) ->
          left.isNumber() && right.isNumber()
              ? left.decimalValue().compareTo(right.decimalValue())
              : left.equals(right) ? 0 : 1;

  @Override
  public JsonType type() {
    return JsonType.of(value);
  }

  @Override
  public Optional<Shape> and(Shape other) {
    return same(((ConstantShape) other).value) ? Optional.of(this) : Optional.empty();
  }

  @Override
  public boolean admits(JsonNode value, SchemaReader reader) {
    return same(value);
  }

  @Override
  public boolean excludes(Shape other, Exclusion exclusion) {
    return !other.admits(value, exclusion.reader());
  }

  private boolean same(JsonNode other) {
    return value.equals(NUMBERS_BY_VALUE, other);
  }

  @Override
  public Expression expression(ValueWriter writer) {
    return written(value, writer);
  }

  private static Expression written(JsonNode value, ValueWriter writer) {
    if (value.isObject()) {
      List<Expression> members = new ArrayList<>();
      for (Map.Entry<String, JsonNode> field : value.properties()) {
        members.add(JsonTexts.member(field.getKey(), written(field.getValue(), writer)));
      }
      return JsonTexts.object(JsonTexts.separated(members), members.isEmpty());
    }
    if (value.isArray()) {
      List<Expression> items = new ArrayList<>();
      value.forEach(item -> items.add(written(item, writer)));
      return JsonTexts.array(JsonTexts.separated(items), items.isEmpty());
    }
    writer.spendPart();
    return value.isTextual()
        ? JsonTexts.string(value.textValue())
        : new Expression.Literal(value.toString());
  }
}
