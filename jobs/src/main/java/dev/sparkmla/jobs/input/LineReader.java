package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import dev.sparkmla.json.JsonProblem;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;

/**
 * Reads the JSON objects of a line: one as a rule, several where lines were joined, those of an
 * array where a file is one. Thread-safe.
 */
final class LineReader {
  /** Bytes of a line; a longer one is broken. */
  static final int LONGEST_LINE = 128 << 20;

  /** Keys of an object; one with more is broken. */
  static final int MOST_KEYS = 10_000;

  /** Parses UTF-8 alone; numbers may be NaN and infinite, as Python writes them. */
  static final JsonFactory FACTORY =
      JsonFactory.builder()
          // Keys come from the input: interned, they would stay.
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(1000)
                  .maxNumberLength(1000)
                  .maxNameLength(50_000)
                  .maxStringLength(LONGEST_LINE)
                  .build())
          .build();

  private static final String WHITE_SPACE = " \t\r\n";
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private LineReader() {}

  /** Takes what a line holds, in order. */
  interface Handler {
    /**
     * Takes an object.
     *
     * @param parser at its START_OBJECT; to be left at its END_OBJECT
     * @param text what the parser reads; its byte offsets are into it
     */
    void object(JsonParser parser, byte[] text) throws IOException;

    /**
     * Takes what else is on the line: values that are no objects, and what is not JSON. It comes
     * last, and once.
     *
     * @param reason what is wrong with the first of it
     */
    void broken(String reason);
  }

  /** Reads a line; one of blanks alone holds nothing. */
  static void read(byte[] line, Handler handler) {
    if (line.length > LONGEST_LINE) {
      handler.broken("it has " + line.length + " bytes; a line may have " + LONGEST_LINE);
      return;
    }
    String problem = null;
    byte[] text = json(line);
    try (JsonParser parser = FACTORY.createParser(text)) {
      boolean inArray = false;
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token == JsonToken.START_OBJECT) {
          handler.object(parser, text);
        } else if (token == JsonToken.START_ARRAY && !inArray) {
          inArray = true;
        } else if (token == JsonToken.END_ARRAY) {
          inArray = false;
        } else {
          parser.skipChildren();
          problem = problem == null ? "it holds " + kind(token) + ", not an object" : problem;
        }
      }
    } catch (JsonProcessingException notJson) {
      problem = problem == null ? problem(notJson) : problem;
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible); // the line is in memory
    }
    if (problem != null) {
      handler.broken(problem);
    }
  }

  private static String problem(JsonProcessingException notJson) {
    JsonLocation place = notJson.getLocation();
    return JsonProblem.of(notJson) + (place == null ? "" : " (column " + place.getColumnNr() + ")");
  }

  /** What a value is, as a person says it. */
  static String kind(JsonToken first) {
    return switch (first) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "a list";
      case VALUE_STRING -> "a text";
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
      case VALUE_TRUE, VALUE_FALSE -> "a boolean";
      case VALUE_NULL -> "null";
      case END_OBJECT, END_ARRAY, FIELD_NAME, VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE ->
          throw new IllegalArgumentException("no value begins with " + first);
    };
  }

  /**
   * A line without a byte order mark before it and without a comma after its last object, as lines
   * have it that were taken out of an array.
   */
  private static byte[] json(byte[] line) {
    int length = BYTE_ORDER_MARK.length;
    boolean isMarked =
        line.length >= length && Arrays.equals(line, 0, length, BYTE_ORDER_MARK, 0, length);
    int comma = lastNonBlank(line, line.length);
    int end = comma >= 0 && line[comma] == ',' ? lastNonBlank(line, comma) + 1 : 0;
    boolean isFollowed = end > 0 && line[end - 1] == '}';
    return isMarked || isFollowed
        ? Arrays.copyOfRange(line, isMarked ? length : 0, isFollowed ? end : line.length)
        : line;
  }

  /** The place of the last character before {@code end} that is not white space, or -1. */
  private static int lastNonBlank(byte[] line, int end) {
    int at = end - 1;
    while (at >= 0 && WHITE_SPACE.indexOf(line[at]) >= 0) {
      at--;
    }
    return at;
  }
}
