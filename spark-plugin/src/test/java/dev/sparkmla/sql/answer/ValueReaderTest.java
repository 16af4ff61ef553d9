package dev.sparkmla.sql.answer;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.ToPrettyString;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import scala.Option;

/** JSON texts become values of the types that their formats have. */
class ValueReaderTest {
  private static Object read(String format, String text) {
    return AnswerFormat.parse(format).newReader().orElseThrow().read(UTF8String.fromString(text));
  }

  /** As SQL shows it. */
  private static String shown(String format, String text) {
    DataType type = AnswerFormat.parse(format).type().orElseThrow();
    Object value = read(format, text);
    return String.valueOf(
        new ToPrettyString(new Literal(value, type), Option.apply("UTC")).eval(null));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "STRING | \"a \\\"b\\\" ä\" | a \"b\" ä",
        "INT | -7 | -7",
        "BIGINT | 9223372036854775807 | 9223372036854775807",
        "DOUBLE | 3 | 3.0",
        "DOUBLE | -2.5e3 | -2500.0",
        "DECIMAL(5,2) | 12.345 | 12.35",
        "DECIMAL(5,2) | 999.99 | 999.99",
        "BOOLEAN | true | true",
        "DATE | \"2024-02-29\" | 2024-02-29",
        "TIMESTAMP | \"2024-02-29T23:00:01.5-02:00\" | 2024-03-01 01:00:01.5",
        "TIMESTAMP | \"2024-02-29T23:00:01Z\" | 2024-02-29 23:00:01",
        "TIMESTAMP_NTZ | \"2024-02-29T23:00:01\" | 2024-02-29 23:00:01",
        "ARRAY<INT> | [1,2] | [1, 2]",
        "ARRAY<INT> | [] | []",
        "MAP<STRING, INT> | {\"a\":1,\"b\":2} | {a -> 1, b -> 2}",
        "STRUCT<a: STRING, b: ARRAY<DATE>> | {\"a\":\"x\",\"b\":[\"2024-01-01\"]} | {x, [2024-01-01]}",
        "STRUCT<a: STRING, b: INT> | {\"a\":null,\"b\":1} | {NULL, 1}",
        "STRUCT<a: INT> | { \"a\" : 1 } | {1}",
        "{\"type\":\"array\"} | [1,\"a\",{\"b\":[null]}] | [1, a, {\"b\":[null]}]",
        "json | {\"a\":[1,null]} | {\"a\":[1,null]}",
        "json | {\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":3} | {\"a\":3,\"b\":{\"c\":2}}",
        "MAP<STRING, INT> | {\"a\":1,\"b\":2,\"a\":3} | {a -> 3, b -> 2}",
        "STRUCT<a: INT, b: ARRAY<MAP<STRING, DATE>>> | {\"a\":1,\"b\":[{\"x\":\"2024-01-01\",\"x\":\"2024-01-02\"}]} | {1, [{x -> 2024-01-02}]}",
        "STRUCT<a: MAP<STRING, MAP<STRING, INT>>, b: MAP<STRING, INT>> | {\"a\":{\"x\":{\"y\":1,\"y\":2}},\"b\":null} | {{x -> {y -> 2}}, NULL}",
        "{\"type\":\"integer\",\"minimum\":10000000000000000000} | 10000000000000000001 | 10000000000000000001",
        "TIMESTAMP_NTZ | \"2024-02-29T23:00:01.5\" | 2024-02-29 23:00:01.5",
        "DECIMAL(38,25) | 0.12345678901234567890 | 0.1234567890123456789000000",
        "regex: a+ | aaa | aaa",
        "choice: [\"yes\"] | yes | yes",
      })
  void aTextBecomesAValue(String format, String text, String value) {
    assertThat(shown(format, text)).isEqualTo(value);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "INT | 2147483648",
        "INT | 1.5",
        "INT | \"1\"",
        "INT | ",
        "BOOLEAN | tru",
        "STRING | \"a",
        "DECIMAL(5,2) | 1000",
        "DATE | \"2023-02-29\"",
        "STRUCT<a: INT, b: INT> | {\"a\":1,\"b\":",
        "STRUCT<a: INT, b: INT> | {\"a\":1,\"b\":2",
        "STRUCT<a: INT, b: INT> | {\"a\":1,\"b\":true}",
        "STRUCT<a: ARRAY<INT>> | {\"a\":[1,true]}",
        "STRUCT<a: STRUCT<b: INT>> | {\"a\":{\"b\":true}}",
        "MAP<STRING, INT> | {\"a\":1,\"b\":true}",
        "ARRAY<STRUCT<a: INT>> | [{\"a\":1},{\"a\":true}]",
        "json | {\"a\":",
        "json | nope",
        "choice: [\"yes\", \"no\"] | ye",
        "choice: [\"yes\", \"no\"] | yes<|end|>",
        "regex: [0-9]{4} | 201",
      })
  void aTextThatCannotBeReadIsNull(String format, String text) {
    assertThat(read(format, text == null ? "" : text)).isNull();
  }

  @Test
  void oneReaderReadsManyTexts() {
    ValueReader reader = AnswerFormat.parse("ARRAY<INT>").newReader().orElseThrow();
    Object first = reader.read(UTF8String.fromString("[1]"));
    assertThat(reader.read(UTF8String.fromString("["))).isNull();
    assertThat(reader.read(UTF8String.fromString("[2,3]"))).hasToString("[2,3]");
    assertThat(first).hasToString("[1]");
  }
}
