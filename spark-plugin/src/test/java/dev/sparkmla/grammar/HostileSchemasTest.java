package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.grammar.SchemaCases.SchemaCase;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
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
        schema("long name over many", longName(300_000, 20_000)),
        schema("long digits", "{\"minimum\": " + "9".repeat(900) + "}"),
        schema("exponent out of range", "{\"const\": 1e-99999999999}"),
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

  private static String longName(int length, int properties) {
    return "{\"properties\": {\""
        + "x".repeat(length)
        + "\": {\"properties\": {"
        + list(properties, i -> "\"p" + i + "\": {\"not\": {}}")
        + "}}}}";
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

  /** Schemas in which characters or keywords' values are others end as formats or as errors. */
  @Test
  void brokenSchemas() {
    List<JsonNode> schemas = SchemaCases.all().stream().map(SchemaCase::schema).toList();
    for (long seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      JsonNode schema = schemas.get(random.nextInt(schemas.size()));
      JsonNode other = schemas.get(random.nextInt(schemas.size()));
      String broken =
          seed % 2 == 0 ? withOtherValue(schema, other, random) : withOtherText(schema, random);
      if (broken.length() > 300) {
        continue; // takes long
      }
      try {
        ResponseFormat.parse(broken, WhiteSpace.COMPACT);
      } catch (InvalidResponseFormatException e) {
        assertThat(e)
            .as("seed %s, schema %s", seed, broken)
            .hasMessageContaining("the response format");
      }
    }
  }

  private static String withOtherValue(JsonNode schema, JsonNode other, Random random) {
    JsonNode copy = schema.deepCopy();
    if (copy instanceof ObjectNode object && !object.isEmpty() && !other.isEmpty()) {
      List<String> keywords = new ArrayList<>();
      object.fieldNames().forEachRemaining(keywords::add);
      List<JsonNode> values = new ArrayList<>();
      other.elements().forEachRemaining(values::add);
      object.set(
          keywords.get(random.nextInt(keywords.size())), values.get(random.nextInt(values.size())));
    }
    return copy.toString();
  }

  private static String withOtherText(JsonNode schema, Random random) {
    String characters = "{}[]\":,0123456789eE.-+ \\utrfalsn$";
    StringBuilder text = new StringBuilder(schema.toString());
    for (int i = random.nextInt(3); i >= 0; i--) {
      text.setCharAt(
          random.nextInt(text.length()), characters.charAt(random.nextInt(characters.length())));
    }
    return text.toString();
  }
}
