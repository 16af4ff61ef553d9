package dev.sparkmla.sql.answer;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.grammar.SchemaReference;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructType;

/**
 * The Spark type of the JSON texts of a schema. Where no type fits all of them, as with a union of
 * unlike types, anything, or a part that holds itself, it is STRING: of a JSON string its
 * characters, of another value its JSON text. Not thread-safe.
 */
final class SchemaType {
  /** Spark walks types recursively, and a schema of references can be short and its type huge. */
  private static final int MOST_PARTS = 10_000;

  private static final int DEEPEST = 50;

  private static final List<String> COMBINING = List.of("allOf", "anyOf", "oneOf");
  private static final List<String> BOUNDS =
      List.of("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum");
  private static final BigDecimal LEAST_LONG = BigDecimal.valueOf(Long.MIN_VALUE);
  private static final BigDecimal MOST_LONG = BigDecimal.valueOf(Long.MAX_VALUE);

  /** Of integers that BIGINT does not hold. */
  private static final DecimalType LARGE = DataTypes.createDecimalType(38, 0);

  private final JsonNode root;

  /** The references that are being followed. */
  private final Set<JsonPointer> following = new HashSet<>();

  private int parts;
  private int depth;

  /**
   * @param root a JSON schema
   */
  SchemaType(JsonNode root) {
    this.root = root;
  }

  /**
   * @throws InvalidResponseFormatException when a reference leads nowhere, or the type would be too
   *     large
   */
  DataType type() {
    DataType type = type(root);
    return type.equals(DataTypes.NullType) ? DataTypes.StringType : type;
  }

  /** The type of a part; NULL's own where it can be nothing else. */
  private DataType type(JsonNode schema) {
    depth++;
    count();
    DataType type = checkedType(schema);
    depth--;
    return type;
  }

  private void count() {
    parts++;
    if (parts > MOST_PARTS || depth > DEEPEST) {
      throw new InvalidResponseFormatException(
          "the response format has more than "
              + MOST_PARTS
              + " parts, or is nested deeper than "
              + DEEPEST
              + ", which is too large for a type");
    }
  }

  private DataType checkedType(JsonNode schema) {
    if (isCombined(schema)) {
      return DataTypes.StringType;
    }
    if (schema.has("$ref")) {
      return referenced(schema.get("$ref").asText());
    }
    if (schema.has("const")) {
      return typeOf(schema.get("const"));
    }
    if (schema.has("enum")) {
      return common(elements(schema.get("enum")).map(SchemaType::typeOf).toList());
    }
    JsonNode type = schema.path("type");
    boolean isOpen = type.isMissingNode() && implied(schema).isEmpty();
    if (isOpen && (schema.has("anyOf") || schema.has("oneOf"))) {
      JsonNode branches = schema.has("anyOf") ? schema.get("anyOf") : schema.get("oneOf");
      return common(elements(branches).map(this::type).toList());
    }
    return type.isArray()
        ? common(elements(type).map(one -> typed(schema, one.asText())).toList())
        : typed(schema, type.isTextual() ? type.textValue() : implied(schema));
  }

  /** The type of a schema's values that have one of JSON's types. */
  private DataType typed(JsonNode schema, String type) {
    count();
    return switch (type) {
      case "object" -> object(schema);
      case "array" -> array(schema);
      case "integer" -> integer(schema);
      case "number" -> DataTypes.DoubleType;
      case "boolean" -> DataTypes.BooleanType;
      case "null" -> DataTypes.NullType;
      case "string" -> string(schema);
      default -> DataTypes.StringType;
    };
  }

  /** Whether objects have properties that no one schema lists, so that no STRUCT has them all. */
  private static boolean isCombined(JsonNode schema) {
    JsonNode properties = schema.path("properties");
    if (properties.isEmpty()) {
      return false;
    }
    return schema.has("$ref")
        || elements(schema.path("required")).anyMatch(name -> !properties.has(name.asText()))
        || COMBINING.stream()
            .flatMap(keyword -> elements(schema.path(keyword)))
            .anyMatch(part -> part.has("properties") || part.has("$ref"));
  }

  private DataType referenced(String reference) {
    JsonPointer pointer =
        SchemaReference.pointer(reference)
            .filter(place -> !root.at(place).isMissingNode())
            .orElseThrow(
                () ->
                    new InvalidResponseFormatException(
                        "the response format refers to '"
                            + reference
                            + "', which is not in it; a reference is such as #/$defs/person"));
    if (!following.add(pointer)) {
      return DataTypes.StringType;
    }
    DataType type = type(root.at(pointer));
    following.remove(pointer);
    return type;
  }

  /** What a schema without a type restricts. */
  private static String implied(JsonNode schema) {
    if (schema.has("properties")) {
      return "object";
    }
    return schema.has("items") || schema.has("prefixItems") ? "array" : "";
  }

  private DataType object(JsonNode schema) {
    JsonNode properties = schema.path("properties");
    if (!properties.isEmpty()) {
      StructType struct = new StructType();
      for (var property : properties.properties()) {
        struct = struct.add(property.getKey(), nullable(type(property.getValue())), true);
      }
      return struct;
    }
    JsonNode values = schema.path("additionalProperties");
    return DataTypes.createMapType(
        DataTypes.StringType,
        values.isObject() ? nullable(type(values)) : DataTypes.StringType,
        true);
  }

  private DataType array(JsonNode schema) {
    List<DataType> elements = new ArrayList<>();
    elements(schema.path("prefixItems")).map(this::type).forEach(elements::add);
    JsonNode items = schema.path("items");
    boolean isOpen = items.isMissingNode() && schema.path("minItems").asDouble() > elements.size();
    if (items.isObject() || items.asBoolean() || isOpen) {
      elements.add(type(items)); // STRING where they may be anything
    }
    return DataTypes.createArrayType(
        elements.isEmpty() ? DataTypes.StringType : nullable(common(elements)), true);
  }

  private static DataType string(JsonNode schema) {
    return switch (schema.path("format").asText()) {
      case "date" -> DataTypes.DateType;
      case "date-time" -> DataTypes.TimestampType;
      case "date-time-local" -> DataTypes.TimestampNTZType;
      default -> DataTypes.StringType;
    };
  }

  private static DataType typeOf(JsonNode value) {
    return switch (value.getNodeType()) {
      case STRING, OBJECT, ARRAY, BINARY, POJO, MISSING -> DataTypes.StringType;
      case NUMBER ->
          value.isIntegralNumber() ? integers(value.decimalValue()) : DataTypes.DoubleType;
      case BOOLEAN -> DataTypes.BooleanType;
      case NULL -> DataTypes.NullType;
    };
  }

  private static DataType integer(JsonNode schema) {
    return common(
        BOUNDS.stream()
            .map(schema::path)
            .map(bound -> bound.isNumber() ? integers(bound.decimalValue()) : DataTypes.LongType)
            .toList());
  }

  /** The type of integers up to a bound. */
  private static DataType integers(BigDecimal bound) {
    if (bound.precision() - (long) bound.scale() > LARGE.precision()) {
      return DataTypes.StringType;
    }
    return bound.compareTo(LEAST_LONG) < 0 || bound.compareTo(MOST_LONG) > 0
        ? LARGE
        : DataTypes.LongType;
  }

  /** The type that holds values of all of {@code types}. */
  private static DataType common(List<DataType> types) {
    Set<DataType> unlike = new LinkedHashSet<>(types);
    unlike.remove(DataTypes.NullType);
    if (unlike.equals(Set.of(DataTypes.LongType, DataTypes.DoubleType))) {
      return DataTypes.DoubleType;
    }
    if (unlike.equals(Set.of(DataTypes.LongType, LARGE))) {
      return LARGE;
    }
    return switch (unlike.size()) {
      case 0 -> DataTypes.NullType;
      case 1 -> unlike.iterator().next();
      default -> DataTypes.StringType;
    };
  }

  /** No table can store a column of NULL's own type. */
  private static DataType nullable(DataType type) {
    return type.equals(DataTypes.NullType) ? DataTypes.StringType : type;
  }

  private static Stream<JsonNode> elements(JsonNode array) {
    List<JsonNode> elements = new ArrayList<>();
    array.forEach(elements::add);
    return elements.stream();
  }
}
