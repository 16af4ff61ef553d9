package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import dev.sparkmla.grammar.SchemaCases.SchemaCase;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Answers against a validator that knows nothing of this package. */
class SchemaConformanceTest {
  private static final List<SchemaCase> CASES = SchemaCases.all();
  private static final int ANSWERS = 12;

  @TestFactory
  Stream<DynamicTest> writesWhatIsValid() {
    return CASES.stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    each.keyword() + ": " + shortened(each.schema()), () -> check(each)));
  }

  private static void check(SchemaCase each) {
    JsonSchema validator = SchemaCases.validator(each.schema());
    ByteAutomaton automaton = Answers.automaton(each.schema().toString());
    SoftAssertions softly = new SoftAssertions();
    each.valid().forEach(value -> check(softly, validator, automaton, value, true, true));
    each.invalid().forEach(value -> check(softly, validator, automaton, value, false, false));
    each.unwritten().forEach(value -> check(softly, validator, automaton, value, true, false));
    softly.assertAll();
    checkAnswers(each.schema(), automaton, Answers.BYTES, 1);
  }

  private static void check(
      SoftAssertions softly,
      JsonSchema validator,
      ByteAutomaton automaton,
      JsonNode value,
      boolean isValid,
      boolean isWritten) {
    String text = value.toString();
    softly
        .assertThat(SchemaCases.isValid(validator, text))
        .as("%s is valid", text)
        .isEqualTo(isValid);
    softly
        .assertThat(Answers.accepts(automaton, text))
        .as("%s is written", text)
        .isEqualTo(isWritten);
  }

  private static void checkAnswers(
      JsonNode schema, ByteAutomaton automaton, TokenBytes vocabulary, long seed) {
    JsonSchema validator = SchemaCases.validator(schema);
    RandomWalk walk = new RandomWalk(automaton, vocabulary, new Random(seed));
    for (int i = 0; i < ANSWERS; i++) {
      walk.answer()
          .ifPresent(
              answer ->
                  assertThat(validator.validate(answer, InputFormat.JSON))
                      .as("seed %s, schema %s, answer %s", seed, schema, answer)
                      .isEmpty());
    }
  }

  /** Values that are valid or just not, for schemas that nobody wrote. */
  @Test
  void randomSchemas() {
    for (long seed = 0; seed < 150; seed++) {
      RandomSchemas schemas = new RandomSchemas(new Random(seed));
      JsonNode schema = schemas.schema();
      JsonSchema validator = SchemaCases.validator(schema);
      ByteAutomaton automaton = Answers.automaton(schema.toString());
      for (int i = 0; i < 20; i++) {
        String value = schemas.value(schema).toString();
        assertThat(Answers.accepts(automaton, value))
            .as("seed %s, schema %s, value %s", seed, schema, value)
            .isEqualTo(SchemaCases.isValid(validator, value));
      }
      checkAnswers(schema, automaton, Answers.BYTES, seed);
      WhiteSpace whiteSpace = WhiteSpace.values()[(int) seed % 2];
      TokenBytes fragments = fragments(schema.toString(), new Random(seed));
      ByteAutomaton ofFragments =
          ResponseFormat.parse(schema.toString(), whiteSpace).automaton(fragments);
      checkAnswers(schema, ofFragments, fragments, seed);
    }
  }

  /**
   * A vocabulary of ASCII, the characters of a text, and fragments of it that may end within a
   * character. It cannot spell each byte.
   */
  private static TokenBytes fragments(String text, Random random) {
    List<byte[]> tokens = new ArrayList<>();
    for (int character = '\n'; character < 0x7F; character++) {
      tokens.add(new byte[] {(byte) character});
    }
    text.codePoints()
        .forEach(each -> tokens.add(Character.toString(each).getBytes(StandardCharsets.UTF_8)));
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < 200; i++) {
      int start = random.nextInt(bytes.length);
      tokens.add(Arrays.copyOfRange(bytes, start, Math.min(bytes.length, start + 2 + i % 5)));
    }
    int[] offsets = new int[tokens.size() + 1];
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (int i = 0; i < tokens.size(); i++) {
      all.writeBytes(tokens.get(i));
      offsets[i + 1] = all.size();
    }
    return new TokenBytes(offsets, all.toByteArray());
  }

  private static String shortened(JsonNode schema) {
    String text = schema.toString();
    return text.length() <= 100 ? text : text.substring(0, 97) + "...";
  }
}
