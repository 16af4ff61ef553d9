package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Finds the narrowest type that holds all values of a JSON column unchanged. Where there is none,
 * the column is text: texts as they are, everything else as its JSON text. Not thread-safe.
 */
final class InferredType implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Lists and objects within each other, and types in a type; a column with more is text. */
  private static final int DEEPEST = 16;

  private static final int MOST_PARTS = 500;

  private static final long EXACT_IN_DOUBLE = 1L << 53;
  private static final int DIGITS_OF_DOUBLE = 17;

  private enum Kind {
    /** Nulls alone. */
    UNKNOWN,
    BOOLEAN,
    /** Whole numbers that a double holds exactly. */
    INTEGER,
    /** Whole numbers of 64 bits. */
    LONG,
    DOUBLE,
    LIST,
    OBJECT,
    TEXT
  }

  private final InferredType column;
  private final int depth;
  private Kind kind = Kind.UNKNOWN;
  private InferredType element;
  private KeyIndex fields;
  private List<InferredType> types;
  private int parts;

  /** A column's type, before any value was seen. */
  InferredType() {
    column = this;
    depth = 0;
  }

  private InferredType(InferredType column, int depth) {
    this.column = column;
    this.depth = depth;
  }

  /**
   * Widens this type to hold a value too.
   *
   * @param parser at the value's first token; is left at its last
   */
  void add(JsonParser parser) throws IOException {
    JsonToken token = parser.currentToken();
    if (token.isStructStart()) {
      boolean isList = token == JsonToken.START_ARRAY;
      widen(isList ? Kind.LIST : Kind.OBJECT);
      if (kind == Kind.TEXT) {
        parser.skipChildren();
      } else if (isList) {
        InferredType elements = element; // the field is null once a column turned out to be text
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(parser);
        }
      } else {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          field(name).add(parser);
        }
      }
    } else if (kind != Kind.TEXT) {
      widen(kindOf(token, parser));
    }
  }

  /** Widens this type to hold all values of another one too. */
  void add(InferredType other) {
    widen(other.kind);
    if (kind == Kind.LIST && other.kind == Kind.LIST) {
      element.add(other.element);
    } else if (kind == Kind.OBJECT && other.kind == Kind.OBJECT) {
      for (int i = 0; i < other.fields.size(); i++) {
        field(other.fields.names().get(i)).add(other.types.get(i));
      }
    }
  }

  /** The type in Spark; all parts of it may be NULL. */
  DataType sqlType() {
    return switch (kind) {
      case UNKNOWN, TEXT -> DataTypes.StringType;
      case BOOLEAN -> DataTypes.BooleanType;
      case INTEGER, LONG -> DataTypes.LongType;
      case DOUBLE -> DataTypes.DoubleType;
      case LIST -> DataTypes.createArrayType(element.sqlType());
      case OBJECT -> {
        StructType struct = new StructType();
        for (int i = 0; i < fields.size(); i++) {
          struct = struct.add(fields.names().get(i), types.get(i).sqlType());
        }
        // Spark writes no objects without fields.
        yield fields.size() == 0 ? DataTypes.StringType : struct;
      }
    };
  }

  private void widen(Kind seen) {
    if (column.kind == Kind.TEXT) {
      toText();
    } else if (kind == Kind.UNKNOWN) {
      kind = seen;
      if (kind == Kind.LIST) {
        element = part();
      } else if (kind == Kind.OBJECT) {
        fields = new KeyIndex();
        types = new ArrayList<>();
      } else if (kind == Kind.TEXT) {
        toText();
      }
    } else if (seen != kind && seen != Kind.UNKNOWN) {
      boolean isWhole = isOneOf(seen, Kind.INTEGER, Kind.LONG);
      boolean isInDouble = isOneOf(seen, Kind.INTEGER, Kind.DOUBLE);
      if (isWhole && isOneOf(kind, Kind.INTEGER, Kind.LONG)) {
        kind = Kind.LONG;
      } else if (isInDouble && isOneOf(kind, Kind.INTEGER, Kind.DOUBLE)) {
        kind = Kind.DOUBLE;
      } else {
        toText();
      }
    }
  }

  private static boolean isOneOf(Kind kind, Kind one, Kind other) {
    return kind == one || kind == other;
  }

  private void toText() {
    kind = Kind.TEXT;
    element = null;
    fields = null;
    types = null;
  }

  private InferredType field(String name) {
    if (column.kind == Kind.TEXT) {
      return column;
    }
    if (name.isEmpty()) {
      toText(); // Iceberg adds no rows whose structs have a field without a name.
    }
    if (kind == Kind.TEXT) {
      return this;
    }
    int field = fields.find(name);
    if (field >= 0) {
      return types.get(field);
    }
    InferredType part = part();
    if (column.kind != Kind.TEXT) {
      fields.add(name);
      types.add(part);
    }
    return part;
  }

  private InferredType part() {
    column.parts++;
    if (column.parts > MOST_PARTS || depth == DEEPEST) {
      column.toText();
    }
    return new InferredType(column, depth + 1);
  }

  private static Kind kindOf(JsonToken token, JsonParser parser) throws IOException {
    return switch (token) {
      case VALUE_NULL -> Kind.UNKNOWN;
      case VALUE_TRUE, VALUE_FALSE -> Kind.BOOLEAN;
      case VALUE_NUMBER_INT -> kindOfWhole(parser);
      case VALUE_NUMBER_FLOAT -> kindOfFraction(parser);
      case VALUE_STRING -> Kind.TEXT;
      case START_OBJECT,
          END_OBJECT,
          START_ARRAY,
          END_ARRAY,
          FIELD_NAME,
          VALUE_EMBEDDED_OBJECT,
          NOT_AVAILABLE ->
          throw new IllegalArgumentException(token + " is no value without parts");
    };
  }

  private static Kind kindOfWhole(JsonParser parser) throws IOException {
    return switch (parser.getNumberType()) {
      case INT -> Kind.INTEGER;
      case LONG -> isExactInDouble(parser.getLongValue()) ? Kind.INTEGER : Kind.LONG;
      case BIG_INTEGER, FLOAT, DOUBLE, BIG_DECIMAL -> Kind.TEXT;
    };
  }

  private static boolean isExactInDouble(long value) {
    return -EXACT_IN_DOUBLE <= value && value <= EXACT_IN_DOUBLE;
  }

  /** A double where it says all digits; a number with more, or out of its range, stays text. */
  private static Kind kindOfFraction(JsonParser parser) throws IOException {
    if (parser.isNaN()) {
      return Kind.DOUBLE;
    }
    double value = Math.abs(parser.getDoubleValue());
    boolean isNormal = value >= Double.MIN_NORMAL && value <= Double.MAX_VALUE;
    if (isNormal && parser.getTextLength() <= DIGITS_OF_DOUBLE) {
      return Kind.DOUBLE;
    }
    String digits = parser.getText().replaceAll("[eE].*|[-.]", "").replaceAll("^0+|0+$", "");
    boolean isZero = digits.isEmpty();
    return isZero || (isNormal && digits.length() <= DIGITS_OF_DOUBLE) ? Kind.DOUBLE : Kind.TEXT;
  }
}
