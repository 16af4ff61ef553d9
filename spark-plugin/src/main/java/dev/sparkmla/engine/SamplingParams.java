package dev.sparkmla.engine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.DoublePredicate;

/**
 * A request's generation parameters; what is empty comes from the model's generation_config.json
 * and the engine's options.
 *
 * @param maxTokens tokens to generate at most, ≥ 1
 * @param temperature finite and ≥ 0; 0 is greedy
 * @param topK ≥ 0; 0 is unlimited
 * @param topP in (0, 1]
 * @param stop texts that end the generation when they appear; none is empty
 * @param seed the query's seed, mixed with the row's content
 */
public record SamplingParams(
    OptionalInt maxTokens,
    OptionalDouble temperature,
    OptionalInt topK,
    OptionalDouble topP,
    List<String> stop,
    long seed) {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  /** Copies the list. */
  public SamplingParams {
    stop = List.copyOf(stop);
  }

  /**
   * Reads parameters by name: {@code max_tokens}, {@code temperature}, {@code top_k}, {@code
   * top_p}, {@code stop}, {@code seed}. Numbers are written as in Java, with a point; blanks around
   * them do not matter. {@code stop} is one text, or a JSON array of texts if it begins with {@code
   * [}. A seed that is not given is 0.
   *
   * @throws InvalidParameterException if a name is unknown, a value is null or unreadable, or a
   *     number is out of its range
   */
  public static SamplingParams parse(Map<String, String> params) {
    OptionalInt maxTokens = OptionalInt.empty();
    OptionalDouble temperature = OptionalDouble.empty();
    OptionalInt topK = OptionalInt.empty();
    OptionalDouble topP = OptionalDouble.empty();
    List<String> stop = List.of();
    long seed = 0;
    for (Map.Entry<String, String> param : params.entrySet()) {
      String name = param.getKey();
      String value = param.getValue();
      switch (name) {
        case "max_tokens" -> maxTokens = OptionalInt.of(parseInt(name, value, 1));
        case "temperature" ->
            temperature =
                OptionalDouble.of(
                    parseFloat(name, value, "a finite number ≥ 0", number -> number >= 0));
        case "top_k" -> topK = OptionalInt.of(parseInt(name, value, 0));
        case "top_p" ->
            topP =
                OptionalDouble.of(
                    parseFloat(
                        name,
                        value,
                        "a number above 0, at most 1",
                        number -> number > 0 && number <= 1));
        case "stop" -> stop = parseStop(value);
        case "seed" -> seed = parseLong(name, value, Long.MIN_VALUE, Long.MAX_VALUE);
        case "response_format" ->
            throw new InvalidParameterException(
                "response_format is reserved: this version does not hold texts to a format.");
        default ->
            throw new InvalidParameterException(
                "There is no parameter '"
                    + name
                    + "'; known are max_tokens, temperature, top_k, top_p, stop and seed.");
      }
    }
    return new SamplingParams(maxTokens, temperature, topK, topP, stop, seed);
  }

  private static int parseInt(String name, String value, int least) {
    return (int) parseLong(name, value, least, Integer.MAX_VALUE);
  }

  private static long parseLong(String name, String value, long least, long most) {
    if (value != null) {
      try {
        long number = Long.parseLong(value.strip());
        if (number >= least && number <= most) {
          return number;
        }
      } catch (NumberFormatException e) {
        // Said below, as for a number out of range.
      }
    }
    throw invalid(name, value, "an integer from " + least + " to " + most);
  }

  /** Reads a number that float32 holds: the precision of sampling. */
  private static double parseFloat(
      String name, String value, String range, DoublePredicate allowed) {
    if (value != null) {
      try {
        float number = Float.parseFloat(value.strip());
        if (Float.isFinite(number) && allowed.test(number)) {
          return number;
        }
      } catch (NumberFormatException e) {
        // Said below, as for a number out of range.
      }
    }
    throw invalid(name, value, range);
  }

  private static List<String> parseStop(String value) {
    if (value == null || !value.startsWith("[")) {
      if (value == null || value.isEmpty()) {
        throw invalid("stop", value, "a text that is not empty, or a JSON array of such texts");
      }
      return List.of(value);
    }
    String range = "a JSON array of texts that are not empty, because it begins with [";
    JsonNode array;
    try {
      array = JSON.readTree(value);
    } catch (JsonProcessingException e) {
      throw invalid("stop", value, range);
    }
    List<String> stop = new ArrayList<>();
    for (JsonNode text : array) {
      if (!text.isTextual() || text.textValue().isEmpty()) {
        throw invalid("stop", value, range);
      }
      stop.add(text.textValue());
    }
    return stop;
  }

  private static InvalidParameterException invalid(String name, String value, String range) {
    return new InvalidParameterException(
        name
            + " is "
            + (value == null ? "null" : "'" + value + "'")
            + "; it must be "
            + range
            + ".");
  }
}
