package dev.sparkmla.sql.answer;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
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

  private final JsonNode root;

  /** The references that are being followed. */
  private final Set<String> following = new HashSet<>();

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
    parts++;
    depth++;
    if (parts > MOST_PARTS || depth > DEEPEST) {
      throw new InvalidResponseFormatException(
          "the response format has more than "
              + MOST_PARTS
              + " parts, or is nested deeper than "
              + DEEPEST
              + ", which is too large for a type");
    }
    DataType type = checkedType(schema);
    depth--;
    return type;
  }

  private DataType checkedType(JsonNode schema) {
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
    if (type.isArray()) {
      return common(
          elements(type)
              .map(one -> type(((ObjectNode) schema.deepCopy()).set("type", one)))
              .toList());
    }
    return switch (type.isTextual() ? type.textValue() : implied(schema)) {
      case "object" -> object(schema);
      case "array" -> array(schema);
      case "integer" -> DataTypes.LongType;
      case "number" -> DataTypes.DoubleType;
      case "boolean" -> DataTypes.BooleanType;
      case "null" -> DataTypes.NullType;
      case "string" -> string(schema);
      default -> DataTypes.StringType;
    };
  }

  private DataType referenced(String reference) {
    JsonNode target = reference.startsWith("#") ? resolve(reference.substring(1)) : null;
    if (target == null || target.isMissingNode()) {
      throw new InvalidResponseFormatException(
          "the response format refers to '"
              + reference
              + "', which is not in it; a reference is such as #/$defs/person");
    }
    if (!following.add(reference)) {
      return DataTypes.StringType;
    }
    DataType type = type(target);
    following.remove(reference);
    return type;
  }

  private JsonNode resolve(String pointer) {
    if (pointer.isEmpty()) {
      return root;
    }
    return pointer.startsWith("/") ? root.at(JsonPointer.compile(pointer)) : null;
  }

  /** What a schema without a type speaks about. */
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
    if (items.isObject()) {
      elements.add(type(items));
    }
    return DataTypes.createArrayType(
        elements.isEmpty() ? DataTypes.StringType : nullable(common(elements)), true);
  }

  private static DataType string(JsonNode schema) {
    return switch (schema.path("format").asText()) {
      case "date" -> DataTypes.DateType;
      case "date-time" -> DataTypes.TimestampType;
      default -> DataTypes.StringType;
    };
  }

  private static DataType typeOf(JsonNode value) {
    return switch (value.getNodeType()) {
      case STRING, OBJECT, ARRAY, BINARY, POJO, MISSING -> DataTypes.StringType;
      case NUMBER -> value.isIntegralNumber() ? DataTypes.LongType : DataTypes.DoubleType;
      case BOOLEAN -> DataTypes.BooleanType;
      case NULL -> DataTypes.NullType;
    };
  }

  /** The type that holds values of all of {@code types}. */
  private static DataType common(List<DataType> types) {
    Set<DataType> unlike = new LinkedHashSet<>(types);
    unlike.remove(DataTypes.NullType);
    if (unlike.equals(Set.of(DataTypes.LongType, DataTypes.DoubleType))) {
      return DataTypes.DoubleType;
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
