package dev.sparkmla.sql.answer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.grammar.ResponseFormat;
import dev.sparkmla.grammar.WhiteSpace;
import dev.sparkmla.json.JsonProblem;
import java.io.Serializable;
import java.util.Optional;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.VariantType;

/** Which form a call's answers have. Immutable. */
public sealed interface AnswerFormat extends Serializable {
  /** Beyond these limits Spark's parser takes longer than a second, or its stack overflows. */
  int MOST_DDL_CHARACTERS = 50_000;

  /** The deepest that a Spark type may nest. */
  int DEEPEST_DDL = 50;

  /** The most characters of a format that a message shows. */
  int MOST_SHOWN = 200;

  /** Any text; there is no value beside it. */
  record Free() implements AnswerFormat {
    @Override
    public Optional<String> spelling() {
      return Optional.empty();
    }

    @Override
    public Optional<String> format() {
      return Optional.empty();
    }

    @Override
    public Optional<DataType> type() {
      return Optional.empty();
    }

    @Override
    public Optional<ValueReader> newReader() {
      return Optional.empty();
    }
  }

  /**
   * A text that is its own value: a STRING.
   *
   * @param written {@code regex: ...} or {@code choice: [...]}, which the engine takes as it is
   */
  record Plain(String written) implements AnswerFormat {
    @Override
    public Optional<String> spelling() {
      return Optional.of(written);
    }

    @Override
    public Optional<String> format() {
      return Optional.of(written);
    }

    @Override
    public Optional<DataType> type() {
      return Optional.of(DataTypes.StringType);
    }

    @Override
    public Optional<ValueReader> newReader() {
      ResponseFormat whole = ResponseFormat.parse(written, WhiteSpace.COMPACT);
      return Optional.of(text -> whole.accepts(text.toString()) ? text : null);
    }
  }

  /**
   * A JSON text, which is read into a value.
   *
   * @param written as the query spells it
   * @param schema what the engine holds the text to: a JSON schema, or {@code json}
   * @param valueType the value's type, with fields and elements that may be NULL
   */
  record Json(String written, String schema, DataType valueType) implements AnswerFormat {
    @Override
    public Optional<String> spelling() {
      return Optional.of(written);
    }

    @Override
    public Optional<String> format() {
      return Optional.of(schema);
    }

    @Override
    public Optional<DataType> type() {
      return Optional.of(valueType);
    }

    @Override
    public Optional<ValueReader> newReader() {
      return Optional.of(
          valueType instanceof VariantType ? new VariantReader() : new JsonValueReader(valueType));
    }
  }

  /**
   * The format for a person.
   *
   * @return as the query spells it; empty where it says nothing
   */
  Optional<String> spelling();

  /**
   * The format for the engine.
   *
   * @return its parameter {@code response_format}; empty where a text may be any
   */
  Optional<String> format();

  /**
   * The Spark type of values.
   *
   * @return empty where there is no value beside the text
   */
  Optional<DataType> type();

  /**
   * What reads texts into values, for one thread.
   *
   * @return empty where there is no value beside the text
   */
  Optional<ValueReader> newReader();

  /**
   * Reads a {@code response_format}. What the engine is told is not checked here but for what the
   * type needs.
   *
   * @param written a Spark DDL type, a JSON schema, {@code regex: ...}, {@code choice: [...]} or
   *     {@code json}
   * @return what it says
   * @throws InvalidResponseFormatException when it is none of these, or a part of it has no place
   *     in JSON
   */
  static AnswerFormat parse(String written) {
    String text = written.strip();
    if (text.startsWith("regex:") || text.startsWith("choice:")) {
      return new Plain(written.stripLeading());
    }
    if (text.equals("json")) {
      return new Json(written, text, DataTypes.VariantType);
    }
    if (text.startsWith("{")) {
      return new Json(written, text, new SchemaType(schema(text)).type());
    }
    DataType type = ddl(text);
    return new Json(written, TypeSchema.of(type).toString(), TypeSchema.valueType(type));
  }

  private static JsonNode schema(String text) {
    try {
      return new ObjectMapper(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .readTree(text);
    } catch (JsonProcessingException problem) {
      throw new InvalidResponseFormatException(
          "the response format begins with { but is no JSON: " + JsonProblem.of(problem));
    }
  }

  private static DataType ddl(String text) {
    int depth = 0;
    int deepest = 0;
    for (int i = 0; i < text.length(); i++) {
      depth += text.charAt(i) == '<' ? 1 : text.charAt(i) == '>' ? -1 : 0;
      deepest = Math.max(deepest, depth);
    }
    if (text.length() > MOST_DDL_CHARACTERS || deepest > DEEPEST_DDL) {
      throw new InvalidResponseFormatException(
          String.format(
              "the response format, a Spark type, has %d characters and nests %d deep; at most %d"
                  + " and %d",
              text.length(), deepest, MOST_DDL_CHARACTERS, DEEPEST_DDL));
    }
    try {
      return DataType.fromDDL(text);
    } catch (Exception problem) {
      // Spark's parser throws some without saying so, which Java cannot catch by their names.
      if (!(problem instanceof SparkThrowable)) {
        throw problem;
      }
      throw new InvalidResponseFormatException(
          "the response format '"
              + (text.length() <= MOST_SHOWN ? text : text.substring(0, MOST_SHOWN) + "...")
              + "' is no Spark type, such as STRUCT<name: STRING, year: INT>, no JSON schema, which"
              + " begins with {, and none of 'regex: ...', 'choice: [\"a\", \"b\"]' and 'json': "
              + problem.getMessage().strip().lines().findFirst().orElse(""));
    }
  }
}
