package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SchemaReaderTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{\"type\": \"object\"; the response format is no JSON",
        "{\"type\": \"null\", \"type\": \"null\"}; Duplicate field 'type'",
        "{} {}; the response format is no JSON",
        "{\"type\": \"text\"}; #/type must be array, boolean, integer, null, number, object or"
            + " string",
        "{\"type\": []}; #/type must be array",
        "{\"type\": [\"null\", 1]}; #/type must be array",
        "{\"not\": {}}; #/not is not supported; supported are $defs, $ref, additionalProperties",
        "{\"items\": {\"if\": {}}}; #/items/if is not supported",
        "{\"properties\": {\"a/b\": {\"contains\": {}}}}; #/properties/a~1b/contains is not"
            + " supported",
        "{\"properties\": {\"a\": 1}}; #/properties/a must be a schema (an object, true or false),"
            + " is 1",
        "{\"properties\": []}; #/properties must be an object of schemas, is a list",
        "{\"required\": \"a\"}; #/required must be a list of names, is \"a\"",
        "{\"required\": [1]}; #/required must be a list of names",
        "{\"properties\": {\"a\": {}}, \"additionalProperties\": {}}; #/additionalProperties may be"
            + " a schema only where there are no properties",
        "{\"minProperties\": 1}; #/minProperties is not supported",
        "{\"properties\": {\"a\": {\"$id\": \"x\"}}}; #/properties/a/$id is not supported",
        "{\"items\": [{}]}; #/items must be one schema",
        "{\"prefixItems\": {}}; #/prefixItems must be a list of schemas, is an object",
        "{\"uniqueItems\": true}; #/uniqueItems must be false",
        "{\"minItems\": -1}; #/minItems must be a whole number of 0 or more, is -1",
        "{\"maxLength\": 1.5}; #/maxLength must be a whole number of 0 or more, is 1.5",
        "{\"maxLength\": \"1\"}; #/maxLength must be a whole number",
        "{\"pattern\": 1}; #/pattern must be a regular expression",
        "{\"pattern\": \"(?=a)\"}; #/pattern cannot be used",
        "{\"format\": \"uri\"}; #/format must be date, time, date-time, date-time-local, uuid,"
            + " email, is \"uri\"",
        "{\"format\": \"date\", \"pattern\": \"a\"}; #/format is not supported beside another"
            + " pattern",
        "{\"enum\": [\"a\"], \"pattern\": \"a\"}; #/pattern is not supported beside const or enum",
        "{\"minimum\": true}; #/minimum must be a number, is true",
        "{\"exclusiveMinimum\": true}; #/exclusiveMinimum must be a number, is true",
        "{\"minimum\": 1e999999999}; #/minimum must be a number of at most 40 digits",
        "{\"maximum\": 1e-999999999}; #/maximum must be a number of at most 40 digits",
        "{\"multipleOf\": 5}; #/multipleOf must be 1, 0.1, 0.01 and so on",
        "{\"multipleOf\": 0}; #/multipleOf must be 1, 0.1, 0.01 and so on",
        "{\"enum\": 1}; #/enum must be a list of values, is 1",
        "{\"const\": \"\\ud800\"}; half a surrogate pair",
        "{\"anyOf\": {}}; #/anyOf must be a list of schemas, is an object",
        "{\"$ref\": 1}; #/$ref must be # or a JSON pointer in this schema",
        "{\"$ref\": \"https://example.com/a\"}; #/$ref must be # or a JSON pointer",
        "{\"$ref\": \"#name\"}; #/$ref must be # or a JSON pointer",
        "{\"$ref\": \"#/$defs/a\"}; #/$ref leads nowhere",
        "{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"number\"}]}; a value of branch 0 may be"
            + " valid for branch 1",
        "{\"oneOf\": [{\"minLength\": 2}, {\"minimum\": 2}]}; #/oneOf is supported only where its"
            + " branches exclude each other",
        "{\"allOf\": [{\"oneOf\": [{\"properties\": {\"a\": {}}, \"required\": [\"a\"]}, {\"properties\":"
            + " {\"b\": {}}, \"required\": [\"b\"]}]}, {\"properties\": {\"b\": {}}}]}; #/allOf/0/oneOf is"
            + " supported only where its branches exclude each other",
        "{\"anyOf\": [{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}], \"oneOf\":"
            + " [{\"properties\": {\"a\": {}, \"b\": {}}}]}; #/anyOf/0/oneOf is supported only where",
        "{\"properties\": {\"p\": {\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}},"
            + " \"allOf\": [{\"properties\": {\"p\": {\"required\": [\"a\", \"b\"]}}}]};"
            + " #/properties/p/oneOf is supported only where",
        "false; # has no answer",
        "{\"allOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}; # has no answer",
        "{\"type\": \"string\", \"minLength\": 3, \"maxLength\": 2}; # has no answer",
        "{\"type\": \"integer\", \"exclusiveMinimum\": 1, \"exclusiveMaximum\": 2}; # has no"
            + " answer",
        "{\"enum\": []}; # has no answer",
        "{\"$ref\": \"#\"}; # has no answer",
        "{\"properties\": {\"a\": {\"$ref\": \"#\"}}, \"required\": [\"a\"]}; # has no answer",
        "{\"type\": \"array\", \"items\": {\"$ref\": \"#\"}, \"minItems\": 1}; # has no answer",
      })
  void saysWhatIsNotSupported(String schema, String message) {
    assertThatThrownBy(() -> read(schema))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining(message);
  }

  @Test
  void writesPropertiesInTheOrderOfTheSchema() {
    ByteAutomaton automaton =
        Answers.automaton(
            "{\"allOf\": [{\"properties\": {\"b\": {\"const\": 1}, \"a\": {\"const\": 2}}},"
                + " {\"properties\": {\"c\": {\"const\": 3}}, \"required\": [\"d\", \"a\"]}]}");

    assertThat(Answers.accepts(automaton, "{\"b\":1,\"a\":2,\"c\":3,\"d\":4}")).isTrue();
    assertThat(Answers.accepts(automaton, "{\"a\":2,\"d\":4}")).isTrue();
    assertThat(Answers.accepts(automaton, "{\"a\":2,\"b\":1,\"d\":4}")).isFalse();
  }

  @Test
  void writesSpaceWhereItMayBe() {
    ByteAutomaton automaton =
        ResponseFormat.parse(
                "{\"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"const\": {}}}}}",
                WhiteSpace.FREE)
            .automaton(Answers.BYTES);

    for (String text :
        new String[] {
          "{}", "{ }", "{\n}", "{\"a\":[]}", "{\n  \"a\": [\n    {},\n    { }\n  ]\n}"
        }) {
      assertThat(Answers.accepts(automaton, text)).as(text).isTrue();
    }
    assertThat(Answers.accepts(automaton, "{\n\n}")).isFalse();
    assertThat(Answers.accepts(automaton, " {}")).isFalse();
  }

  @Test
  void jsonIsAnyValue() {
    ByteAutomaton automaton = Answers.automaton("json");

    assertThat(Answers.accepts(automaton, "{\"a\":[1,{\"b\":null}]}")).isTrue();
    assertThat(Answers.accepts(automaton, "{\"a\":}")).isFalse();
  }

  @Test
  void definitionsThatAreNotUsedAreNotRead() {
    assertThat(Answers.accepts(Answers.automaton("{\"$defs\": {\"a\": 1}, \"const\": 1}"), "1"))
        .isTrue();
  }

  /** Reads a schema, and gives its messages away. */
  private static void read(String schema) {
    ResponseFormat.parse(schema, WhiteSpace.COMPACT);
  }

  @Test
  void aChainOfReferencesIsNoRecursion() {
    String definitions =
        String.join(
            ",",
            IntStream.range(0, 40)
                .mapToObj(i -> "\"d" + i + "\": {\"$ref\": \"#/$defs/d" + (i + 1) + "\"}")
                .toList());
    ByteAutomaton automaton =
        Answers.automaton(
            "{\"$ref\": \"#/$defs/d0\", \"$defs\": {"
                + definitions
                + ", \"d40\": {\"const\": 1}}}");

    assertThat(Answers.accepts(automaton, "1")).isTrue();
  }
}
