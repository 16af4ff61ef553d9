package dev.sparkmla.sql.answer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.grammar.InvalidResponseFormatException;
import java.util.Collections;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a response format is to the engine, and which type its values have. */
class AnswerFormatTest {
  private static AnswerFormat.Json json(String written) {
    return (AnswerFormat.Json) AnswerFormat.parse(written);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "STRING | {\"type\":\"string\"} | STRING",
        "VARCHAR(5) | {\"type\":\"string\",\"maxLength\":5} | STRING",
        "CHAR(5) | {\"type\":\"string\",\"maxLength\":5} | STRING",
        "BOOLEAN | {\"type\":\"boolean\"} | BOOLEAN",
        "TINYINT | {\"type\":\"integer\",\"minimum\":-128,\"maximum\":127} | TINYINT",
        "SMALLINT | {\"type\":\"integer\",\"minimum\":-32768,\"maximum\":32767} | SMALLINT",
        "INT | {\"type\":\"integer\",\"minimum\":-2147483648,\"maximum\":2147483647} | INT",
        "BIGINT | {\"type\":\"integer\",\"minimum\":-9223372036854775808,\"maximum\":9223372036854775807} | BIGINT",
        "FLOAT | {\"type\":\"number\"} | FLOAT",
        "DOUBLE | {\"type\":\"number\"} | DOUBLE",
        "DECIMAL(4,2) | {\"type\":\"number\",\"minimum\":-99.99,\"maximum\":99.99,\"multipleOf\":0.01} | DECIMAL(4,2)",
        "DECIMAL(3,0) | {\"type\":\"integer\",\"minimum\":-999,\"maximum\":999} | DECIMAL(3,0)",
        "DATE | {\"type\":\"string\",\"format\":\"date\"} | DATE",
        "TIMESTAMP | {\"type\":\"string\",\"format\":\"date-time\"} | TIMESTAMP",
        "TIMESTAMP_NTZ | {\"type\":\"string\",\"format\":\"date-time-local\"} | TIMESTAMP_NTZ",
        "array<date> | {\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"date\"}} | ARRAY<DATE>",
        "MAP<STRING, BOOLEAN> | {\"type\":\"object\",\"additionalProperties\":{\"type\":\"boolean\"}} | MAP<STRING, BOOLEAN>",
        "STRUCT<a: STRING NOT NULL COMMENT 'who', b: BOOLEAN> | {\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"null\"}]}},\"required\":[\"a\",\"b\"],\"additionalProperties\":false} | STRUCT<a: STRING COMMENT 'who', b: BOOLEAN>",
        "a BOOLEAN NOT NULL | {\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}},\"required\":[\"a\"],\"additionalProperties\":false} | STRUCT<a: BOOLEAN>",
        "json | json | VARIANT",
      })
  void aTypeBecomesASchema(String type, String schema, String valueType) {
    AnswerFormat.Json format = json(type);
    assertThat(format.schema()).isEqualTo(schema);
    assertThat(format.valueType().sql()).isEqualTo(valueType);
    assertThat(format.spelling()).hasValue(type);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"type\":\"string\"} | STRING",
        "{\"type\":\"string\",\"format\":\"date\"} | DATE",
        "{\"type\":\"string\",\"format\":\"date-time\"} | TIMESTAMP",
        "{\"type\":\"string\",\"format\":\"uuid\"} | STRING",
        "{\"type\":\"integer\",\"minimum\":0} | BIGINT",
        "{\"type\":\"integer\",\"maximum\":9223372036854775807} | BIGINT",
        "{\"type\":\"integer\",\"maximum\":18446744073709551615} | DECIMAL(38,0)",
        "{\"type\":\"integer\",\"exclusiveMinimum\":-1e30} | DECIMAL(38,0)",
        "{\"type\":\"integer\",\"minimum\":1e38} | STRING",
        "{\"enum\":[1,10000000000000000000]} | DECIMAL(38,0)",
        "{\"type\":\"number\"} | DOUBLE",
        "{\"type\":[\"boolean\",\"null\"]} | BOOLEAN",
        "{\"type\":[\"integer\",\"number\"]} | DOUBLE",
        "{\"type\":\"null\"} | STRING",
        "{} | STRING",
        "{\"const\":3} | BIGINT",
        "{\"enum\":[\"a\",null,\"b\"]} | STRING",
        "{\"enum\":[1,2.5]} | DOUBLE",
        "{\"enum\":[1,true]} | STRING",
        "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]} | BIGINT",
        "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]} | STRING",
        "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}} | ARRAY<BIGINT>",
        "{\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"number\"}]} | ARRAY<DOUBLE>",
        "{\"prefixItems\":[{\"type\":\"integer\"}],\"minItems\":1} | ARRAY<BIGINT>",
        "{\"prefixItems\":[{\"type\":\"integer\"}],\"minItems\":2} | ARRAY<STRING>",
        "{\"prefixItems\":[{\"type\":\"integer\"}],\"items\":true} | ARRAY<STRING>",
        "{\"type\":\"array\"} | ARRAY<STRING>",
        "{\"type\":\"object\"} | MAP<STRING, STRING>",
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}} | MAP<STRING, DOUBLE>",
        "{\"properties\":{\"b\":{\"type\":\"boolean\"},\"a\":{\"type\":\"null\"}}} | STRUCT<b: BOOLEAN, a: STRING>",
        "{\"$ref\":\"#/$defs/d\",\"$defs\":{\"d\":{\"type\":\"boolean\"}}} | BOOLEAN",
        "{\"$ref\":\"#/$defs/a%20b\",\"$defs\":{\"a b\":{\"type\":\"boolean\"}}} | BOOLEAN",
        "{\"properties\":{\"a\":{}},\"required\":[\"b\"]} | STRING",
        "{\"properties\":{\"a\":{}},\"$ref\":\"#/$defs/d\",\"$defs\":{\"d\":{}}} | STRING",
        "{\"properties\":{\"a\":{}},\"anyOf\":[{\"properties\":{\"b\":{}}}]} | STRING",
        "{\"properties\":{\"a\":{}},\"anyOf\":[{\"required\":[\"a\"]}]} | STRUCT<a: STRING>",
        "{\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#\"}}} | STRUCT<v: BIGINT, next: STRUCT<v: BIGINT, next: STRING>>",
        "{\"properties\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/properties/t\"}}}} | STRUCT<t: ARRAY<ARRAY<STRING>>>",
      })
  void aSchemaHasAType(String schema, String valueType) {
    AnswerFormat.Json format = json(schema);
    assertThat(format.schema()).isEqualTo(schema);
    assertThat(format.valueType().sql()).isEqualTo(valueType);
  }

  /** What the engine is told of a type has the type again, as far as a schema can say it. */
  @Test
  void aTypesSchemaHasTheType() {
    String type =
        "STRUCT<a: ARRAY<MAP<STRING, DATE>>, b: STRUCT<c: BIGINT, d: TIMESTAMP, e: DOUBLE>>";
    assertThat(json(json(type).schema()).valueType()).isEqualTo(json(type).valueType());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "STRUCT<a: ARRAY<BINARY>> | an element of the field a is BINARY, which is not supported",
        "MAP<INT, STRING> | a key of the response format is INT, which is not supported; it can be STRING",
        "STRUCT<a: MAP<STRING, INTERVAL DAY>> | a value of the field a is INTERVAL DAY, which is not supported",
        "STRUCT<> | the response format is STRUCT<>; it needs fields",
        "STRUCT<a: INT, a: INT> | it needs fields, each with a name of its own",
        "STRUCT<a: > | the response format 'STRUCT<a: >' is no Spark type",
        "JSON | the response format 'JSON' is no Spark type",
        "STRUCT<a: INT, b: NUMBER> | Unsupported data type \"NUMBER\". SQLSTATE: 0A000 (line 1, pos 18)",
        "yes, no | Syntax error at or near ','",
        "DECIMAL(50,2) | the response format 'DECIMAL(50,2)' is no Spark type",
        "STRING COLLATE XX | The value XX does not represent a correct collation name",
        "{\"type\": | the response format begins with { but is no JSON",
        "{\"type\":1,\"type\":2} | the response format begins with { but is no JSON: Duplicate field",
        "{} {} | the response format begins with { but is no JSON",
        "{\"$ref\":\"#/$defs/x\"} | the response format refers to '#/$defs/x', which is not in it",
        "{\"$ref\":\"http://x\"} | the response format refers to 'http://x', which is not in it",
        "{\"$ref\":\"#here\"} | the response format refers to '#here', which is not in it",
      })
  void refusesWhatHasNoPlaceInJson(String written, String message) {
    assertThatThrownBy(() -> AnswerFormat.parse(written))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining(message);
  }

  @Test
  void refusesTypesThatAreTooLarge() {
    String doubling =
        IntStream.range(0, 40)
                .mapToObj(
                    i ->
                        String.format(
                            "\"d%d\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d%d\"},"
                                + "\"b\":{\"$ref\":\"#/$defs/d%d\"}}}",
                            i, i + 1, i + 1))
                .collect(Collectors.joining(",", "{\"$ref\":\"#/$defs/d0\",\"$defs\":{", ""))
            + ",\"d40\":{\"type\":\"string\"}}}";
    String deep = "{\"items\":".repeat(60) + "{}" + "}".repeat(60);
    for (String schema : new String[] {doubling, deep}) {
      assertThatThrownBy(() -> AnswerFormat.parse(schema))
          .isInstanceOf(InvalidResponseFormatException.class)
          .hasMessageContaining("which is too large for a type");
    }
  }

  /** Where Spark's own parser would take long, or its stack overflow. */
  @Test
  void refusesTypesThatAreTooLongToParse() {
    String deep = "ARRAY<".repeat(20_000) + "INT" + ">".repeat(20_000);
    String nested = "ARRAY<".repeat(51) + "INT" + ">".repeat(51);
    String wide = "a INT, ".repeat(10_000) + "b INT";
    for (String type : new String[] {deep, nested, wide}) {
      assertThatThrownBy(() -> AnswerFormat.parse(type))
          .isInstanceOf(InvalidResponseFormatException.class)
          .hasMessageContaining("at most 50000 and 50");
    }
  }

  /** A type's name costs the same however large the schema is. */
  @Test
  void refusesManyNamesOfTypes() {
    String names = String.join(",", Collections.nCopies(100_000, "\"string\""));
    assertThatThrownBy(() -> AnswerFormat.parse("{\"type\":[" + names + "]}"))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("which is too large for a type");
  }

  @Test
  void aRegexAndAChoiceAreTexts() {
    for (String written : new String[] {"regex: [0-9]+ ", "choice: [\"a\", \"b\"]"}) {
      AnswerFormat format = AnswerFormat.parse(written);
      assertThat(format.format()).hasValue(written);
      assertThat(format.type().orElseThrow().sql()).isEqualTo("STRING");
    }
  }
}
