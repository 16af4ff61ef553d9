package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Arrays. Where a schema describes the first items and not those behind them, only as many of the
 * latter are written as must be there.
 *
 * @param first the schemas that each of the first items must be valid for
 * @param others the schemas that the items behind them must be valid for; none for any value
 * @param least the fewest items
 * @param most the most items, or {@link Expression#UNBOUNDED}
 */
record ArrayShape(List<List<SchemaPlace>> first, List<SchemaPlace> others, int least, int most)
    implements Shape {
  static final Set<String> KEYWORDS =
      Set.of("items", "maxItems", "minItems", "prefixItems", "uniqueItems");

  static final ArrayShape ANY = new ArrayShape(List.of(), List.of(), 0, Expression.UNBOUNDED);

  /** The arrays that are valid for a schema. */
  static ArrayShape read(SchemaPlace place) {
    List<List<SchemaPlace>> first = new ArrayList<>();
    if (place.has("prefixItems")) {
      place.children("prefixItems").forEach(item -> first.add(List.of(item)));
    }
    List<SchemaPlace> others = List.of();
    if (place.has("items")) {
      if (place.schema().get("items").isArray()) {
        throw place.wrong("items", "one schema; schemas of the first items are prefixItems");
      }
      others = List.of(place.child("items"));
    }
    if (place.has("uniqueItems") && !place.schema().get("uniqueItems").equals(BooleanNode.FALSE)) {
      throw place.wrong("uniqueItems", "false: that items differ cannot be held to");
    }
    return new ArrayShape(
        first, others, place.count("minItems", 0), place.count("maxItems", Expression.UNBOUNDED));
  }

  @Override
  public JsonType type() {
    return JsonType.ARRAY;
  }

  @Override
  public Optional<Shape> and(Shape other) {
    ArrayShape arrays = (ArrayShape) other;
    List<List<SchemaPlace>> both = new ArrayList<>();
    for (int i = 0; i < Math.max(first.size(), arrays.first.size()); i++) {
      both.add(SchemaPlace.together(schemas(i), arrays.schemas(i)));
    }
    ArrayShape shape =
        new ArrayShape(
            both,
            SchemaPlace.together(others, arrays.others),
            Math.max(least, arrays.least),
            Math.min(most, arrays.most));
    return shape.least > shape.most ? Optional.empty() : Optional.of(shape);
  }

  private List<SchemaPlace> schemas(int item) {
    return item < first.size() ? first.get(item) : others;
  }

  @Override
  public boolean excludes(Shape other, Exclusion exclusion) {
    ArrayShape arrays = (ArrayShape) other;
    return least > arrays.most || arrays.least > most;
  }

  @Override
  public boolean admits(JsonNode value, SchemaReader reader) {
    if (value.size() < least || value.size() > most) {
      return false;
    }
    for (int i = 0; i < value.size(); i++) {
      if (!reader.alternatives(schemas(i)).admit(value.get(i), reader)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public Expression expression(ValueWriter writer) {
    List<Expression> items = new ArrayList<>();
    boolean isCut = false;
    for (int i = 0; i < Math.min(first.size(), most) && !isCut; i++) {
      Expression item = writer.value(first.get(i));
      isCut = item.equals(Expression.NONE);
      if (!isCut) {
        items.add(item);
      }
    }
    boolean isClosed = !first.isEmpty() && others.isEmpty() && least <= first.size();
    Expression other =
        isCut || isClosed || items.size() == most ? Expression.NONE : writer.value(others);
    int longest = other.equals(Expression.NONE) ? items.size() : most;
    return least > longest ? Expression.NONE : JsonTexts.array(oneOrMore(items, other), least == 0);
  }

  /** One item or more: the first ones, as far as they are there, and others behind them all. */
  private Expression oneOrMore(List<Expression> items, Expression other) {
    if (items.isEmpty()) {
      return JsonTexts.many(other, Math.max(1, least), most);
    }
    Expression end = Expression.EMPTY;
    if (!other.equals(Expression.NONE)) {
      end =
          new Expression.Repetition(
              Expression.sequence(JsonTexts.COMMA, other),
              Expression.EMPTY,
              Math.max(0, least - items.size()),
              most == Expression.UNBOUNDED ? most : most - items.size());
    }
    int required = Math.max(1, Math.min(least, items.size()));
    for (int i = items.size() - 1; i >= required; i--) {
      end =
          Expression.choice(
              Expression.EMPTY, Expression.sequence(JsonTexts.COMMA, items.get(i), end));
    }
    return Expression.sequence(JsonTexts.separated(items.subList(0, required)), end);
  }
}
