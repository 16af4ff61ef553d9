package dev.sparkmla.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.json.JsonProblem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A JSON object of a model folder, read with checks: each getter names the file, the key, what was
 * found and what was expected. A null value counts as an absent one.
 */
final class JsonFields {
  /** No configuration file is near this; a larger one is not read at all. */
  private static final long LARGEST_FILE = 64L << 20;

  private static final ObjectMapper JSON =
      new ObjectMapper(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  // An index has 90,000 names, each once: a table of them would only cost.
                  .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final Path file;
  private final String prefix;
  private final JsonNode object;

  private JsonFields(Path file, String prefix, JsonNode object) {
    this.file = file;
    this.prefix = prefix;
    this.object = object;
  }

  /**
   * Reads a file that holds one JSON object.
   *
   * @throws ModelFormatException when it is missing, too large or no JSON object, or names a key
   *     twice
   */
  static JsonFields read(Path file) {
    try {
      long size = Files.size(file);
      if (size > LARGEST_FILE) {
        throw new ModelFormatException(
            file, "has " + size + " bytes; expected at most " + LARGEST_FILE);
      }
      JsonNode root = JSON.readTree(Files.readAllBytes(file));
      if (!root.isObject()) {
        throw new ModelFormatException(file, "is not a JSON object");
      }
      return new JsonFields(file, "", root);
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(file, "is missing", e);
    } catch (JsonProcessingException e) {
      throw new ModelFormatException(file, "is not JSON: " + JsonProblem.of(e), e);
    } catch (IOException e) {
      throw new ModelFormatException(file, "cannot be read: " + e, e);
    }
  }

  Path file() {
    return file;
  }

  /** Whether the key is written, with null as its value too. */
  boolean contains(String key) {
    return object.has(key);
  }

  boolean has(String key) {
    return object.hasNonNull(key);
  }

  /** The names of all keys, those with null values too. */
  Iterator<String> keys() {
    return object.fieldNames();
  }

  /** The object under a key; empty when the key is absent. */
  Optional<JsonFields> object(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode value = object.get(key);
    if (!value.isObject()) {
      throw wrong(key, value, "an object");
    }
    return Optional.of(new JsonFields(file, prefix + key + ".", value));
  }

  /** A list of strings; empty when the key is absent. */
  Optional<String[]> strings(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode value = object.get(key);
    if (!value.isArray()) {
      throw wrong(key, value, "a list of strings");
    }
    String[] strings = new String[value.size()];
    for (int i = 0; i < strings.length; i++) {
      if (!value.get(i).isTextual()) {
        throw wrong(key, value, "a list of strings");
      }
      strings[i] = value.get(i).textValue();
    }
    return Optional.of(strings);
  }

  /** A list of integers; empty when the key is absent. */
  Optional<int[]> integers(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode value = object.get(key);
    int[] integers = new int[value.size()];
    for (int i = 0; i < integers.length; i++) {
      if (!value.isArray() || !value.get(i).isInt()) {
        throw wrong(key, value, "a list of integers");
      }
      integers[i] = value.get(i).intValue();
    }
    return Optional.of(integers);
  }

  String string(String key, String absent) {
    if (!has(key)) {
      return absent;
    }
    JsonNode value = object.get(key);
    if (!value.isTextual()) {
      throw wrong(key, value, "a string");
    }
    return value.textValue();
  }

  boolean flag(String key, boolean absent) {
    if (!has(key)) {
      return absent;
    }
    JsonNode value = object.get(key);
    if (!value.isBoolean()) {
      throw wrong(key, value, "true or false");
    }
    return value.booleanValue();
  }

  /** An integer in {@code [least, most]} that must be there. */
  int integer(String key, int least, int most) {
    if (!has(key)) {
      throw new ModelFormatException(
          file, "lacks " + prefix + key + "; expected an integer in " + least + " to " + most);
    }
    return integer(key, least, least, most);
  }

  int integer(String key, int absent, int least, int most) {
    if (!has(key)) {
      return absent;
    }
    JsonNode value = object.get(key);
    // A whole number may be written 4096.0.
    boolean whole =
        value.isIntegralNumber() && value.canConvertToLong()
            || value.isFloatingPointNumber() && value.doubleValue() == Math.rint(value.asDouble());
    if (!whole || value.asDouble() < least || value.asDouble() > most) {
      throw wrong(key, value, "an integer in " + least + " to " + most);
    }
    return (int) value.asLong();
  }

  double number(String key, double absent, double least, double most) {
    if (!has(key)) {
      return absent;
    }
    JsonNode value = object.get(key);
    if (!value.isNumber() || !(value.doubleValue() >= least && value.doubleValue() <= most)) {
      throw wrong(key, value, "a number in " + least + " to " + most);
    }
    return value.doubleValue();
  }

  /**
   * A list of numbers in {@code [least, most]} that must be there.
   *
   * @param count how many they must be
   */
  List<Double> numbers(String key, int count, double least, double most) {
    JsonNode value = object.path(key);
    List<Double> numbers = new ArrayList<>();
    for (JsonNode item : value) {
      if (item.isNumber() && item.doubleValue() >= least && item.doubleValue() <= most) {
        numbers.add(item.doubleValue());
      }
    }
    if (!value.isArray() || value.size() != count || numbers.size() != count) {
      throw wrong(key, value, "a list of " + count + " numbers in " + least + " to " + most);
    }
    return numbers;
  }

  /**
   * One token id or a list of them; none when the key is absent.
   *
   * @param vocabulary the number of tokens, which ids are below
   */
  Set<Integer> tokenIds(String key, int vocabulary) {
    Set<Integer> ids = new LinkedHashSet<>();
    if (has(key)) {
      JsonNode value = object.get(key);
      Iterable<JsonNode> items = value.isArray() ? value : Set.of(value);
      for (JsonNode item : items) {
        if (!item.isInt() || item.intValue() < 0 || item.intValue() >= vocabulary) {
          throw wrong(key, value, "a token id below " + vocabulary + " or a list of them");
        }
        ids.add(item.intValue());
      }
    }
    return ids;
  }

  /**
   * Whether a key has another value than one that changes nothing; null and absent are that too.
   */
  boolean differs(String key, Object neutral) {
    if (!has(key)) {
      return false;
    }
    JsonNode value = object.get(key);
    if (neutral instanceof Number number && value.isNumber()) {
      return value.doubleValue() != number.doubleValue();
    }
    return neutral instanceof Boolean flag
        ? !value.isBoolean() || value.booleanValue() != flag
        : !(value.isContainerNode() && value.isEmpty());
  }

  ModelFormatException wrong(String key, Object value, String expected) {
    String shown = String.valueOf(value);
    if (shown.length() > 100) {
      shown = shown.substring(0, 100) + "...";
    }
    return new ModelFormatException(file, prefix + key + " is " + shown + "; expected " + expected);
  }
}
