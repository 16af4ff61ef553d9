package dev.sparkmla.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonProblemTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @ParameterizedTest
  @ValueSource(strings = {"{\"a\": [1, ", "{\"a\": \"b", "{a}", "[1, 2", "\"\\x\"", "{\"a\" 1}"})
  void saysNothingOfWhatJacksonReads(String text) {
    for (Object source : new Object[] {text, text.getBytes(StandardCharsets.UTF_8)}) {
      JsonProcessingException problem =
          catchThrowableOfType(
              JsonProcessingException.class,
              () ->
                  JSON.readTree(
                      source instanceof byte[] bytes
                          ? JSON.createParser(bytes)
                          : JSON.createParser(text)));
      assertThat(JsonProblem.of(problem)).isNotBlank().doesNotContain("Source", "REDACTED");
    }
  }

  @Test
  void keepsWhereAnUnfinishedValueBegins() {
    JsonProcessingException problem =
        catchThrowableOfType(JsonProcessingException.class, () -> JSON.readTree("{\"a\": [1"));
    assertThat(JsonProblem.of(problem))
        .containsPattern("\\(start marker at line: 1, column: \\d+\\)");
  }
}
