package dev.sparkmla.grammar;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.sparkmla.json.JsonProblem;
import java.util.ArrayList;
import java.util.List;

/** Tells the kinds of response formats apart, and reads each. */
final class FormatReader {
  private static final String REGEX = "regex:";
  private static final String CHOICE = "choice:";
  private static final String JSON_VALUE = "json";
  private static final String SCHEMA_OF_ANY_VALUE = "{}";

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private FormatReader() {}

  /**
   * The texts that a response format allows.
   *
   * @throws InvalidResponseFormatException naming the part that is wrong or not supported
   */
  static Expression read(String text, Budget budget) {
    if (text.startsWith(REGEX)) {
      return PatternReader.whole(text.substring(REGEX.length()).stripLeading(), budget);
    }
    if (text.startsWith(CHOICE)) {
      return choice(text.substring(CHOICE.length()));
    }
    if (text.strip().equals(JSON_VALUE)) {
      return SchemaReader.read(SCHEMA_OF_ANY_VALUE, budget);
    }
    if (text.stripLeading().startsWith("{") || text.strip().matches("true|false")) {
      return SchemaReader.read(text, budget);
    }
    throw new InvalidResponseFormatException(
        "the response format begins with '"
            + text.substring(0, Math.min(text.length(), 20))
            + "'; it must be 'regex: PATTERN', 'choice: [\"a\", \"b\"]', 'json', or a JSON schema"
            + " such as {\"type\": \"object\", ...}");
  }

  private static Expression choice(String text) {
    JsonNode choices;
    try {
      choices = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new InvalidResponseFormatException(
          "the choices of the response format are no JSON: " + JsonProblem.of(e), e);
    }
    if (!choices.isArray() || choices.isEmpty()) {
      throw new InvalidResponseFormatException(
          "the choices of the response format must be a JSON array of one or more strings");
    }
    List<Expression> alternatives = new ArrayList<>();
    for (JsonNode choice : choices) {
      if (!choice.isTextual()) {
        throw new InvalidResponseFormatException(
            "a choice of the response format is " + choice.getNodeType() + "; expected a string");
      }
      alternatives.add(new Expression.Literal(choice.textValue()));
    }
    return new Expression.Choice(alternatives);
  }
}
