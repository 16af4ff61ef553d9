package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonMetaSchema;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.format.PatternFormat;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Schemas with values, and a validator that knows nothing of this package. */
final class SchemaCases {
  /** Reads numbers as they are written. */
  static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  private static final JsonSchemaFactory FACTORY = factory();

  private static final SchemaValidatorsConfig CONFIG =
      SchemaValidatorsConfig.builder().formatAssertionsEnabled(true).build();

  private SchemaCases() {}

  private static JsonSchemaFactory factory() {
    // The validator's own format email knows the top-level domains of its year.
    String email = "^[^\\s.@]+(\\.[^\\s.@]+)*@([0-9A-Za-z-]+\\.)+[A-Za-z]{2,}$";
    JsonMetaSchema draft =
        JsonMetaSchema.builder(JsonMetaSchema.getV202012())
            .format(PatternFormat.of("email", email, "format.email"))
            .build();
    return JsonSchemaFactory.builder()
        .defaultMetaSchemaIri(draft.getIri())
        .metaSchema(draft)
        .build();
  }

  /**
   * One schema.
   *
   * @param keyword what it is about
   * @param valid values that must be valid and accepted
   * @param invalid values that must be neither
   * @param unwritten values that are valid, but are not written by design
   */
  record SchemaCase(
      String keyword,
      JsonNode schema,
      List<JsonNode> valid,
      List<JsonNode> invalid,
      List<JsonNode> unwritten) {}

  /** The cases of {@code schemas.json}. */
  static List<SchemaCase> all() {
    List<SchemaCase> cases = new ArrayList<>();
    try (InputStream file = SchemaCases.class.getResourceAsStream("schemas.json")) {
      for (Map.Entry<String, JsonNode> group : JSON.readTree(file).properties()) {
        for (JsonNode each : group.getValue()) {
          cases.add(
              new SchemaCase(
                  group.getKey(),
                  each.get("schema"),
                  values(each.path("valid")),
                  values(each.path("invalid")),
                  values(each.path("unwritten"))));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return cases;
  }

  private static List<JsonNode> values(JsonNode list) {
    List<JsonNode> values = new ArrayList<>();
    list.forEach(values::add);
    return values;
  }

  /** A validator for a schema. */
  static JsonSchema validator(JsonNode schema) {
    return FACTORY.getSchema(schema, CONFIG);
  }

  /** Whether a text is a JSON value that is valid. */
  static boolean isValid(JsonSchema validator, String text) {
    return validator.validate(text, InputFormat.JSON).isEmpty();
  }
}
