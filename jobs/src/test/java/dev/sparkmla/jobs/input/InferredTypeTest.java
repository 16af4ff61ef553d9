package dev.sparkmla.jobs.input;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InferredTypeTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "null; STRING",
        "true null; BOOLEAN",
        "1 2; BIGINT",
        "1 0.5; DOUBLE",
        "0.0 -0.0; DOUBLE",
        "NaN; DOUBLE",
        "9007199254740993 1; BIGINT",
        "9007199254740993 0.5; STRING",
        "-9223372036854775808; BIGINT",
        "123456789012345678901234567890; STRING",
        "0.12345678901234567890; STRING",
        "1e400; STRING",
        "1e-400; STRING",
        "1 true; STRING",
        "{}; STRING",
        "[]; ARRAY<STRING>",
        "[1] [0.5, null]; ARRAY<DOUBLE>",
        "[1, \"a\"]; ARRAY<STRING>",
        "{\"a\": 1} {\"A\": 2, \"b\": null}; STRUCT<a: BIGINT, b: STRING>",
        "{\"a\": 1} [1]; STRING",
        "{\"a\": 1, \"\": {\"b\": [1]}, \"c\": {}}; STRING",
        "{\"a\": {\"b\": 1, \"\": 2, \"c\": [3]}, \"d\": 4}; STRUCT<a: STRING, d: BIGINT>",
        "[{\"\": 1}] [{\"a\": 2}]; ARRAY<STRING>",
        "{\"a\": {\"b\": 1}} {\"a\": {\"\": 1}}; STRUCT<a: STRING>"
      })
  void isTheNarrowestThatKeepsAllValues(String values, String type) throws IOException {
    InferredType whole = new InferredType();
    InferredType merged = new InferredType();
    try (JsonParser parser = LineReader.FACTORY.createParser(values)) {
      while (parser.nextToken() != null) {
        whole.add(parser);
      }
    }
    merged.add(whole);

    assertThat(whole.sqlType().sql()).isEqualTo(type);
    assertThat(merged.sqlType().sql()).isEqualTo(type);
  }

  @ParameterizedTest
  @CsvSource({"17", "400", "900"})
  void isTextWhereValuesAreDeep(int depth) throws IOException {
    InferredType type = new InferredType();
    try (JsonParser parser =
        LineReader.FACTORY.createParser("[".repeat(depth) + "]".repeat(depth))) {
      parser.nextToken();
      type.add(parser);
      assertThat(parser.nextToken()).isNull();
    }
    assertThat(type.sqlType().sql()).isEqualTo("STRING");
  }
}
