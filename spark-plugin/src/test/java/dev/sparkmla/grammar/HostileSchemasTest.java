package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Schemas that would take forever or all memory end as an error. */
class HostileSchemasTest {
  /** Far more than it takes, so that a busy machine does not fail. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  static Stream<Arguments> schemas() {
    return Stream.of(
        schema("10 MB", "{\"enum\": [\"" + "x".repeat(10 << 20) + "\"]}"),
        schema("deep JSON", "{\"items\":".repeat(100_000)),
        schema("deep schema", nested(150, "{\"items\":", "{}", "}")),
        schema("deep constant", "{\"const\":" + nested(5_000, "[", "1", "]") + "}"),
        schema("deep allOf", nested(95, "{\"allOf\": [", "{\"not\": {}}", "]}")),
        schema("deep anyOf", nested(40, "{\"anyOf\": [true, ", "{\"not\": 1}", "]}")),
        schema("doubling definitions", definitions(30, i -> twice(i + 1))),
        schema("doubling allOf", definitions(30, i -> allOf(i + 1))),
        schema(
            "chain of 10,000", definitions(10_000, i -> "{\"items\": " + reference(i + 1) + "}")),
        schema("recursion in ten properties", recursive(10, "properties")),
        schema("recursion in ten branches", recursive(10, "anyOf")),
        schema(
            "recursion without an answer",
            "{\"properties\": {"
                + list(10, i -> "\"p" + i + "\": {\"$ref\": \"#\"}")
                + "}, \"required\": [\"p9\"]}"),
        schema("product of anyOf", allOfAnyOf(20)),
        schema("many enums", "{\"allOf\": [" + list(2, i -> enumeration(20_000, i)) + "]}"),
        schema("long digits", "{\"minimum\": " + "9".repeat(900) + "}"),
        schema("huge exponent", "{\"enum\": [1], \"minimum\": 1e2147483647}"),
        schema("many items", "{\"type\": \"array\", \"minItems\": 2000000000}"),
        schema(
            "nested counts",
            nested(8, "{\"type\": \"array\", \"maxItems\": 100, \"items\":", "{}", "}")),
        schema("many strings", "{\"anyOf\": [" + list(200, HostileSchemasTest::bounded) + "]}"),
        schema(
            "long pattern",
            "{\"type\": \"string\", \"pattern\": \"(a|b)*a(a|b){200}\", \"maxLength\": 2000}"),
        schema(
            "many free values",
            "{\"type\": \"object\", \"properties\": {"
                + list(2_000, i -> "\"p" + i + "\": {}")
                + "}}"));
  }

  private static Arguments schema(String name, String schema) {
    return Arguments.of(name, schema);
  }

  private static String nested(int levels, String open, String inner, String close) {
    return open.repeat(levels) + inner + close.repeat(levels);
  }

  private static String list(int size, IntFunction<String> element) {
    return IntStream.range(0, size).mapToObj(element).collect(Collectors.joining(","));
  }

  private static String reference(int definition) {
    return "{\"$ref\": \"#/$defs/d" + definition + "\"}";
  }

  private static String definitions(int size, IntFunction<String> definition) {
    return "{\"$ref\": \"#/$defs/d0\", \"$defs\": {"
        + list(size, i -> "\"d" + i + "\": " + definition.apply(i))
        + ", \"d"
        + size
        + "\": {\"type\": \"integer\"}}}";
  }

  private static String twice(int definition) {
    return "{\"type\": \"object\", \"properties\": {\"a\": "
        + reference(definition)
        + ", \"b\": "
        + reference(definition)
        + "}}";
  }

  private static String allOf(int definition) {
    return "{\"allOf\": [" + reference(definition) + "," + reference(definition) + "]}";
  }

  private static String recursive(int times, String keyword) {
    String uses = list(times, i -> "\"p" + i + "\": {\"$ref\": \"#\"}");
    return keyword.equals("properties")
        ? "{\"type\": \"object\", \"properties\": {" + uses + "}}"
        : "{\"anyOf\": [{\"type\": \"null\"}, "
            + list(
                times,
                i -> "{\"type\": \"array\", \"items\": {\"$ref\": \"#\"}, \"minItems\": " + i + "}")
            + "]}";
  }

  private static String allOfAnyOf(int size) {
    return "{\"allOf\": ["
        + list(
            size,
            i ->
                "{\"anyOf\": [{\"required\": [\"a" + i + "\"]}, {\"required\": [\"b" + i + "\"]}]}")
        + "]}";
  }

  private static String enumeration(int size, int first) {
    return "{\"enum\": [" + list(size, i -> String.valueOf(i + first)) + "]}";
  }

  private static String bounded(int i) {
    return "{\"type\": \"string\", \"minLength\": "
        + 2 * i
        + ", \"maxLength\": "
        + (9_000 + i)
        + "}";
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("schemas")
  void endsAsAnError(String name, String schema) {
    Assertions.assertTimeoutPreemptively(
        LIMIT,
        () ->
            assertThatThrownBy(() -> ResponseFormat.parse(schema, WhiteSpace.FREE))
                .isInstanceOf(InvalidResponseFormatException.class));
  }
}
