package dev.sparkmla.sql.answer;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import java.math.BigDecimal;
import java.math.BigInteger;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.CharType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.sql.types.VarcharType;

/**
 * The JSON schema of a Spark type: every JSON text of it can be read into the type. A field that is
 * not NOT NULL may be null; elements and map values may not.
 */
final class TypeSchema {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private TypeSchema() {}

  /**
   * @throws InvalidResponseFormatException naming the part that JSON cannot hold
   */
  static ObjectNode of(DataType type) {
    return schema(type, "the response format");
  }

  /** The type that values of {@code type} have: CHAR and VARCHAR are STRING, all may be NULL. */
  static DataType valueType(DataType type) {
    if (type instanceof StructType struct) {
      StructType value = new StructType();
      for (StructField field : struct.fields()) {
        value = value.add(field.name(), valueType(field.dataType()), true, field.metadata());
      }
      return value;
    }
    if (type instanceof ArrayType array) {
      return DataTypes.createArrayType(valueType(array.elementType()), true);
    }
    if (type instanceof MapType map) {
      return DataTypes.createMapType(DataTypes.StringType, valueType(map.valueType()), true);
    }
    return type instanceof CharType || type instanceof VarcharType ? DataTypes.StringType : type;
  }

  private static ObjectNode schema(DataType type, String place) {
    if (type instanceof StructType struct) {
      return object(struct, place);
    }
    if (type instanceof ArrayType array) {
      ObjectNode schema = typed("array");
      schema.set("items", schema(array.elementType(), "an element of " + place));
      return schema;
    }
    if (type instanceof MapType map) {
      if (!isString(map.keyType())) {
        throw refused(map.keyType(), "a key of " + place, "STRING, as keys of JSON objects are");
      }
      ObjectNode schema = typed("object");
      schema.set("additionalProperties", schema(map.valueType(), "a value of " + place));
      return schema;
    }
    return scalar(type, place);
  }

  private static ObjectNode object(StructType struct, String place) {
    ObjectNode properties = JSON.objectNode();
    ArrayNode required = JSON.arrayNode();
    for (StructField field : struct.fields()) {
      ObjectNode schema = schema(field.dataType(), "the field " + field.name());
      properties.set(field.name(), field.nullable() ? orNull(schema) : schema);
      required.add(field.name());
    }
    if (properties.size() < struct.size() || struct.isEmpty()) {
      throw new InvalidResponseFormatException(
          place + " is " + struct.sql() + "; it needs fields, each with a name of its own");
    }
    ObjectNode schema = typed("object");
    schema.set("properties", properties);
    schema.set("required", required);
    schema.put("additionalProperties", false);
    return schema;
  }

  private static ObjectNode orNull(ObjectNode schema) {
    ObjectNode either = JSON.objectNode();
    either.putArray("anyOf").add(schema).add(typed("null"));
    return either;
  }

  private static ObjectNode scalar(DataType type, String place) {
    if (type instanceof CharType fixed) {
      return typed("string").put("maxLength", fixed.length());
    }
    if (type instanceof VarcharType limited) {
      return typed("string").put("maxLength", limited.length());
    }
    if (isString(type)) {
      return typed("string");
    }
    if (type instanceof BooleanType) {
      return typed("boolean");
    }
    if (type instanceof ByteType) {
      return integer(Byte.SIZE);
    }
    if (type instanceof ShortType) {
      return integer(Short.SIZE);
    }
    if (type instanceof IntegerType) {
      return integer(Integer.SIZE);
    }
    if (type instanceof LongType) {
      return integer(Long.SIZE);
    }
    if (type instanceof FloatType || type instanceof DoubleType) {
      return typed("number");
    }
    if (type instanceof DecimalType decimal) {
      return decimal(decimal);
    }
    if (type instanceof DateType) {
      return typed("string").put("format", "date");
    }
    if (type instanceof TimestampType) {
      return typed("string").put("format", "date-time");
    }
    if (type instanceof TimestampNTZType) {
      return typed("string").put("format", "date-time-local");
    }
    throw refused(
        type,
        place,
        "STRUCT, ARRAY, MAP<STRING, ...>, STRING, BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT,"
            + " DOUBLE, DECIMAL, DATE, TIMESTAMP or TIMESTAMP_NTZ");
  }

  private static boolean isString(DataType type) {
    return type instanceof StringType
        && !(type instanceof CharType)
        && !(type instanceof VarcharType);
  }

  private static ObjectNode integer(int bits) {
    BigInteger end = BigInteger.ONE.shiftLeft(bits - 1);
    return typed("integer")
        .put("minimum", end.negate())
        .put("maximum", end.subtract(BigInteger.ONE));
  }

  private static ObjectNode decimal(DecimalType type) {
    BigDecimal most =
        new BigDecimal(BigInteger.TEN.pow(type.precision()).subtract(BigInteger.ONE), type.scale());
    ObjectNode schema = typed(type.scale() == 0 ? "integer" : "number");
    return type.scale() == 0
        ? schema.put("minimum", most.negate().toBigInteger()).put("maximum", most.toBigInteger())
        : schema
            .put("minimum", most.negate())
            .put("maximum", most)
            .put("multipleOf", BigDecimal.ONE.movePointLeft(type.scale()));
  }

  private static ObjectNode typed(String type) {
    return JSON.objectNode().put("type", type);
  }

  private static InvalidResponseFormatException refused(
      DataType type, String place, String supported) {
    return new InvalidResponseFormatException(
        place + " is " + type.sql() + ", which is not supported; it can be " + supported);
  }
}
