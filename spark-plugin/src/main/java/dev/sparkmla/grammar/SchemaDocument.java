package dev.sparkmla.grammar;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.sparkmla.json.JsonProblem;
import java.util.Optional;

/** A JSON schema's text, read strictly, and the references within it. Immutable. */
final class SchemaDocument {
  /** A schema in a schema stands in two of its brackets. */
  private static final int MOST_NESTING = 2 * SchemaPlace.MOST_DEPTH;

  private static final ObjectMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                  .streamReadConstraints(
                      StreamReadConstraints.builder().maxNestingDepth(MOST_NESTING).build())
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          // A constant is written as the schema has it.
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  private final JsonNode root;

  private SchemaDocument(JsonNode root) {
    this.root = root;
  }

  /**
   * Reads a schema.
   *
   * @throws InvalidResponseFormatException when it is no JSON or names a key twice
   */
  static SchemaDocument read(String text) {
    try {
      return new SchemaDocument(JSON.readTree(text));
    } catch (JsonProcessingException e) {
      throw new InvalidResponseFormatException(
          "the response format is no JSON: " + JsonProblem.of(e), e);
    } catch (NumberFormatException e) { // which Jackson lets through for some exponents
      throw new InvalidResponseFormatException(
          "the response format has a number that cannot be read: " + e.getMessage(), e);
    }
  }

  /** The schema of whole answers. */
  SchemaPlace root() {
    return new SchemaPlace(root, SchemaPlace.Lineage.ROOT);
  }

  /**
   * Follows the reference of a schema.
   *
   * @return empty where its definition would stand in itself more than {@link
   *     SchemaPlace#MOST_RECURSION} times
   * @throws InvalidResponseFormatException when it leads nowhere or out of the document
   */
  Optional<SchemaPlace> follow(SchemaPlace place) {
    JsonNode reference = place.schema().get("$ref");
    JsonPointer pointer =
        Optional.ofNullable(reference.textValue())
            .flatMap(SchemaReference::pointer)
            .orElseThrow(
                () ->
                    place.wrong(
                        "$ref", "# or a JSON pointer in this schema, such as #/$defs/name"));
    JsonNode target = root.at(pointer);
    if (target.isMissingNode()) {
      throw place.problem("$ref", "leads nowhere: " + SchemaPlace.shortened(reference));
    }
    return place.follow(pointer.toString(), target);
  }
}
