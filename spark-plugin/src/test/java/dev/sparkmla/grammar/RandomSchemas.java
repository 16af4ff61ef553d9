package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Schemas at random, and values for them of which about half are valid. Objects are closed, and
 * values are small, so that each valid value can be written.
 */
final class RandomSchemas {
  private static final JsonNodeFactory NODES = JsonNodeFactory.withExactBigDecimals(true);
  private static final int MOST_LEVELS = 3;
  private static final List<String> TEXTS =
      List.of("", "a", "ab", "abc", "aabb", "\"", "é", "\uD83D\uDE00", "2024-02-29", "2023-02-29");
  private static final List<String> PATTERNS = List.of("^a*b*$", "b", "^[^b]{1,2}$", "^[^a]", "c$");

  private final Random random;

  RandomSchemas(Random random) {
    this.random = random;
  }

  /** A schema with definitions. */
  JsonNode schema() {
    ObjectNode definitions = NODES.objectNode();
    definitions.set("scalar", scalar());
    definitions.set("object", object(1));
    ObjectNode schema = schema(0);
    schema.set("$defs", definitions);
    return schema;
  }

  private ObjectNode schema(int level) {
    if (level == MOST_LEVELS) {
      return scalar();
    }
    return switch (random.nextInt(9)) {
      case 0, 1, 2 -> object(level);
      case 3, 4 -> array(level);
      case 5 -> NODES.objectNode().set("anyOf", list(schema(level + 1), schema(level + 1)));
      case 6 ->
          NODES
              .objectNode()
              .set("oneOf", list(string(), numbers("integer"), type("null"), type("boolean")));
      case 7 ->
          NODES
              .objectNode()
              .put(
                  "$ref", level == 0 || random.nextBoolean() ? "#/$defs/scalar" : "#/$defs/object");
      default -> scalar();
    };
  }

  private ObjectNode object(int level) {
    ObjectNode object = type("object");
    ObjectNode properties = object.putObject("properties");
    ArrayNode required = object.putArray("required");
    for (int i = random.nextInt(5); i >= 0; i--) {
      String name = random.nextInt(8) == 0 ? "\"" + i : "p" + i;
      // A reference to the object in itself would be cut off at some depth.
      properties.set(name, level == 1 ? scalar() : schema(level + 1));
      if (random.nextBoolean()) {
        required.add(name);
      }
    }
    return object.put("additionalProperties", false);
  }

  private ObjectNode array(int level) {
    ObjectNode array = type("array");
    if (random.nextBoolean()) {
      array.set("prefixItems", list(schema(level + 1), schema(level + 1)));
      array.set("items", random.nextBoolean() ? NODES.booleanNode(false) : scalar());
    } else {
      array.set("items", schema(level + 1));
    }
    if (random.nextBoolean()) {
      array.put("minItems", random.nextInt(3));
    }
    if (random.nextBoolean()) {
      array.put("maxItems", 2 + random.nextInt(3));
    }
    return array;
  }

  private ObjectNode scalar() {
    return switch (random.nextInt(8)) {
      case 0, 1 -> string();
      case 2, 3 -> numbers("integer");
      case 4 -> numbers("number");
      case 5 -> NODES.objectNode().set("const", value());
      case 6 -> NODES.objectNode().set("enum", list(value(), value(), value()));
      default ->
          NODES.objectNode().set("type", list(NODES.textNode("boolean"), NODES.textNode("null")));
    };
  }

  private ObjectNode string() {
    ObjectNode string = type("string");
    switch (random.nextInt(4)) {
      case 0 -> string.put("minLength", random.nextInt(3)).put("maxLength", 2 + random.nextInt(3));
      case 1 -> string.put("pattern", pick(PATTERNS));
      case 2 -> string.put("pattern", pick(PATTERNS)).put("maxLength", 1 + random.nextInt(3));
      default -> string.put("format", "date");
    }
    return string;
  }

  private ObjectNode numbers(String type) {
    ObjectNode numbers = type(type);
    BigDecimal least = number();
    if (random.nextBoolean()) {
      numbers.put(random.nextBoolean() ? "minimum" : "exclusiveMinimum", least);
    }
    if (random.nextBoolean()) {
      numbers.put("maximum", least.add(BigDecimal.valueOf(1 + random.nextInt(2_000))));
    }
    if (type.equals("number") && random.nextBoolean()) {
      numbers.put("multipleOf", new BigDecimal("0.1"));
    }
    return numbers;
  }

  private static ObjectNode type(String type) {
    return NODES.objectNode().put("type", type);
  }

  private static ArrayNode list(JsonNode... values) {
    return NODES.arrayNode().addAll(List.of(values));
  }

  private <T> T pick(List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  private BigDecimal number() {
    return plain(BigDecimal.valueOf(random.nextInt(2_001) - 1_000, random.nextInt(3)));
  }

  /** Without a fraction where it is 0: 1.0 is valid as an integer, but not written as one. */
  private static BigDecimal plain(BigDecimal number) {
    BigDecimal stripped = number.stripTrailingZeros();
    return stripped.scale() < 0 ? stripped.setScale(0) : stripped;
  }

  private JsonNode value() {
    return switch (random.nextInt(6)) {
      case 0 -> NODES.nullNode();
      case 1 -> NODES.booleanNode(random.nextBoolean());
      case 2 -> NODES.numberNode(number());
      case 3 -> NODES.numberNode(random.nextInt(100));
      case 4 -> NODES.textNode(pick(TEXTS));
      default -> random.nextBoolean() ? NODES.arrayNode() : NODES.objectNode();
    };
  }

  /** A value that is made for a schema, and sometimes not. */
  JsonNode value(JsonNode schema) {
    return value(schema, schema.path("$defs"));
  }

  private JsonNode value(JsonNode schema, JsonNode definitions) {
    if (random.nextInt(12) == 0) {
      return value();
    }
    if (schema.has("$ref")) {
      String reference = schema.get("$ref").textValue();
      return value(definitions.get(reference.substring("#/$defs/".length())), definitions);
    }
    for (String keyword : List.of("anyOf", "oneOf", "enum")) {
      if (schema.has(keyword)) {
        JsonNode one = schema.get(keyword).get(random.nextInt(schema.get(keyword).size()));
        return keyword.equals("enum") ? one : value(one, definitions);
      }
    }
    if (schema.has("const")) {
      return schema.get("const");
    }
    return switch (schema.path("type").asText()) {
      case "object" -> object(schema, definitions);
      case "array" -> array(schema, definitions);
      case "string" -> NODES.textNode(pick(TEXTS));
      case "integer" -> NODES.numberNode(near(schema).toBigInteger());
      case "number" -> NODES.numberNode(near(schema));
      case "boolean" -> NODES.booleanNode(random.nextBoolean());
      case "null" -> NODES.nullNode();
      default -> value();
    };
  }

  /** At a bound, or a little beside it. */
  private BigDecimal near(JsonNode schema) {
    List<JsonNode> bounds =
        List.of(schema.path("minimum"), schema.path("exclusiveMinimum"), schema.path("maximum"));
    JsonNode bound = pick(bounds);
    BigDecimal step = BigDecimal.valueOf(random.nextInt(21) - 10, random.nextInt(4));
    return bound.isNumber() ? plain(bound.decimalValue().add(step)) : number();
  }

  private JsonNode object(JsonNode schema, JsonNode definitions) {
    ObjectNode object = NODES.objectNode();
    for (Map.Entry<String, JsonNode> property : schema.get("properties").properties()) {
      if (random.nextInt(3) > 0) {
        object.set(property.getKey(), value(property.getValue(), definitions));
      }
    }
    return object;
  }

  private JsonNode array(JsonNode schema, JsonNode definitions) {
    ArrayNode array = NODES.arrayNode();
    for (int i = 0, size = random.nextInt(5); i < size; i++) {
      JsonNode item =
          schema.path("prefixItems").has(i)
              ? schema.get("prefixItems").get(i)
              : schema.get("items");
      array.add(item.isObject() ? value(item, definitions) : value());
    }
    return array;
  }
}
