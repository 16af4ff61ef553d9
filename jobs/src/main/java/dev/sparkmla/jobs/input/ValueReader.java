package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.sparkmla.text.LoneSurrogates;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;

/**
 * Makes Spark's values of JSON values, in the types that {@link InferredType} found. It reads one
 * object after the other. Not thread-safe.
 */
final class ValueReader {
  private final Reader[] columns;
  private byte[] text;
  private String repeatedKey;

  @FunctionalInterface
  private interface Reader {
    /** Reads a value that is not null; the parser goes from its first token to its last. */
    Object read(JsonParser parser) throws IOException;
  }

  ValueReader(StructType schema) {
    columns = readers(schema);
  }

  /**
   * Begins an object.
   *
   * @param text what its parser reads
   */
  void begin(byte[] text) {
    this.text = text;
    repeatedKey = null;
  }

  /** Reads the value of a column; the parser goes from the value's first token to its last. */
  Object read(int column, JsonParser parser) throws IOException {
    return read(columns[column], parser);
  }

  /** A text as it is, any other value as its JSON text. */
  String text(JsonParser parser) throws IOException {
    JsonToken token = parser.currentToken();
    if (!token.isStructStart()) {
      return LoneSurrogates.replaced(parser.getText());
    }
    int start = Math.toIntExact(parser.currentTokenLocation().getByteOffset());
    parser.skipChildren();
    int end = Math.toIntExact(parser.currentLocation().getByteOffset());
    return new String(text, start, end - start, StandardCharsets.UTF_8);
  }

  /** Says that a key of the object is there twice. */
  void repeats(String key) {
    repeatedKey = key;
  }

  /** A key that is there twice, in the object or in one of its values. */
  Optional<String> repeatedKey() {
    return Optional.ofNullable(repeatedKey);
  }

  private static Object read(Reader reader, JsonParser parser) throws IOException {
    return parser.currentToken() == JsonToken.VALUE_NULL ? null : reader.read(parser);
  }

  private Reader reader(DataType type) {
    if (type instanceof StringType) {
      return this::text;
    } else if (type instanceof BooleanType) {
      return JsonParser::getBooleanValue;
    } else if (type instanceof LongType) {
      return JsonParser::getLongValue;
    } else if (type instanceof DoubleType) {
      return JsonParser::getDoubleValue;
    } else if (type instanceof ArrayType list) {
      return list(reader(list.elementType()));
    } else if (type instanceof StructType struct) {
      return struct(new KeyIndex(Arrays.asList(struct.fieldNames())), readers(struct));
    }
    throw new IllegalArgumentException("no JSON column has the type " + type.sql());
  }

  private Reader[] readers(StructType struct) {
    return Arrays.stream(struct.fields())
        .map(field -> reader(field.dataType()))
        .toArray(Reader[]::new);
  }

  private static Reader list(Reader element) {
    return parser -> {
      require(JsonToken.START_ARRAY, parser);
      List<Object> elements = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        elements.add(read(element, parser));
      }
      return elements.toArray();
    };
  }

  private Reader struct(KeyIndex keys, Reader[] fields) {
    return parser -> {
      require(JsonToken.START_OBJECT, parser);
      Object[] values = new Object[fields.length];
      boolean[] isSet = new boolean[fields.length];
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        parser.nextToken();
        int field = keys.find(key);
        if (field < 0) {
          throw hasChanged(parser);
        }
        if (isSet[field]) {
          repeats(key);
        }
        isSet[field] = true;
        values[field] = read(fields[field], parser);
      }
      return RowFactory.create(values);
    };
  }

  private static void require(JsonToken token, JsonParser parser) throws IOException {
    if (parser.currentToken() != token) {
      throw hasChanged(parser);
    }
  }

  private static JsonProcessingException hasChanged(JsonParser parser) {
    return new JsonParseException(parser, "the file has changed since its columns were read");
  }
}
