package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Objects. Their properties are written in the order of the schema. Where a schema names
 * properties, no others are written.
 *
 * @param properties the schemas that each property must be valid for, in the order of the schema
 * @param required the properties that must be there
 * @param others the schemas that further properties must be valid for; none for any value
 */
record ObjectShape(
    Map<String, List<SchemaPlace>> properties, Set<String> required, List<SchemaPlace> others)
    implements Shape {
  static final Set<String> KEYWORDS = Set.of("additionalProperties", "properties", "required");

  static final ObjectShape ANY = new ObjectShape(Map.of(), Set.of(), List.of());

  /** The objects that are valid for a schema. */
  static ObjectShape read(SchemaPlace place) {
    Map<String, List<SchemaPlace>> properties = new LinkedHashMap<>();
    if (place.has("properties")) {
      SchemaPlace schemas = place.child("properties");
      if (!schemas.schema().isObject()) {
        throw place.wrong("properties", "an object of schemas");
      }
      for (Iterator<String> names = schemas.schema().fieldNames(); names.hasNext(); ) {
        String name = names.next();
        properties.put(name, List.of(schemas.child(name)));
      }
    }
    return new ObjectShape(properties, required(place), others(place, properties.isEmpty()));
  }

  private static Set<String> required(SchemaPlace place) {
    Set<String> required = new LinkedHashSet<>();
    if (place.has("required")) {
      JsonNode list = place.schema().get("required");
      for (JsonNode name : list) {
        if (!name.isTextual()) {
          throw place.wrong("required", "a list of names");
        }
        required.add(name.textValue());
      }
      if (!list.isArray()) {
        throw place.wrong("required", "a list of names");
      }
    }
    return required;
  }

  private static List<SchemaPlace> others(SchemaPlace place, boolean areAlone) {
    if (!place.has("additionalProperties")) {
      return List.of();
    }
    SchemaPlace others = place.child("additionalProperties");
    if (!areAlone && !others.schema().isBoolean()) {
      throw place.problem(
          "additionalProperties",
          "may be a schema only where there are no properties; beside properties, true and false"
              + " are supported, and no others are written");
    }
    return List.of(others);
  }

  @Override
  public JsonType type() {
    return JsonType.OBJECT;
  }

  @Override
  public Optional<Shape> and(Shape other) {
    ObjectShape objects = (ObjectShape) other;
    Map<String, List<SchemaPlace>> both = new LinkedHashMap<>();
    for (String name : properties.keySet()) {
      both.put(name, SchemaPlace.together(schemas(name), objects.schemas(name)));
    }
    for (String name : objects.properties.keySet()) {
      both.computeIfAbsent(
          name, each -> SchemaPlace.together(schemas(each), objects.schemas(each)));
    }
    Set<String> needed = new LinkedHashSet<>(required);
    needed.addAll(objects.required);
    return Optional.of(new ObjectShape(both, needed, SchemaPlace.together(others, objects.others)));
  }

  /** The schemas that a property must be valid for; none for any value. */
  private List<SchemaPlace> schemas(String name) {
    return properties.getOrDefault(name, others);
  }

  /** The properties that are written, in order; none where any are. */
  private Set<String> names() {
    Set<String> names = new LinkedHashSet<>(properties.keySet());
    names.addAll(required);
    return names;
  }

  @Override
  public boolean admits(JsonNode value, SchemaReader reader) {
    for (String name : required) {
      if (!value.has(name)) {
        return false;
      }
    }
    for (Map.Entry<String, JsonNode> field : value.properties()) {
      if (!reader.alternatives(schemas(field.getKey())).admit(field.getValue(), reader)) {
        return false;
      }
    }
    return true;
  }

  /** By a property that is in each text of one of them, and whose values are not in the other. */
  @Override
  public boolean excludes(Shape other, Exclusion exclusion) {
    ObjectShape objects = (ObjectShape) other;
    Set<String> required = new LinkedHashSet<>(this.required);
    required.addAll(objects.required);
    Set<String> names = names();
    return required.stream()
        .anyMatch(
            name ->
                !names.isEmpty() && !names.contains(name)
                    || exclusion.ofProperties(schemas(name), objects.schemas(name)));
  }

  @Override
  public Expression expression(ValueWriter writer) {
    Set<String> names = names();
    if (names.isEmpty()) {
      Expression name = new Expression.JsonString(0, StringShape.MOST_CHARACTERS);
      Expression entry = JsonTexts.member(name, writer.value(others));
      return JsonTexts.object(JsonTexts.many(entry, 1, Expression.UNBOUNDED), true);
    }
    List<Expression.Part> members = new ArrayList<>();
    for (String name : names) {
      writer.spendPart();
      boolean isRequired = required.contains(name);
      Expression value = writer.value(schemas(name));
      if (!value.equals(Expression.NONE)) {
        members.add(new Expression.Part(JsonTexts.member(name, value), isRequired));
      } else if (isRequired) {
        return Expression.NONE;
      }
    }
    return JsonTexts.object(
        members.isEmpty() ? Expression.NONE : new Expression.Selection(members, JsonTexts.COMMA),
        required.isEmpty());
  }
}
