package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads JSON schemas (draft 2020-12): which values a schema allows. What it cannot hold to, it
 * refuses. For one thread.
 */
final class SchemaReader {
  /** Keywords without meaning for an answer. */
  private static final Set<String> ANNOTATIONS =
      Set.of(
          "$comment",
          "$schema",
          "default",
          "deprecated",
          "description",
          "discriminator",
          "examples",
          "readOnly",
          "title",
          "writeOnly");

  /** Keywords that hold for values of any type. */
  private static final Set<String> GENERAL =
      Set.of("$defs", "$ref", "allOf", "anyOf", "const", "definitions", "enum", "oneOf", "type");

  private static final String TYPES = "array, boolean, integer, null, number, object or string";

  /** What it takes of the budget to read one schema, or to merge two. */
  private static final int SCHEMA_WORK = 500;

  /** What one part of an expression takes of it. */
  private static final int PART_WORK = 20;

  /** What it takes to compare two shapes. */
  private static final int COMPARISON_WORK = 10;

  private final SchemaDocument document;
  private final Budget budget;

  private SchemaReader(SchemaDocument document, Budget budget) {
    this.document = document;
    this.budget = budget;
  }

  /**
   * The JSON texts that are valid for a schema, as far as they are written:
   * docs/response-formats.md says which are left out.
   *
   * @throws InvalidResponseFormatException when the text is no schema, has a keyword that is not
   *     supported, or no value is valid
   */
  static Expression read(String text, Budget budget) {
    SchemaDocument document = SchemaDocument.read(text);
    SchemaReader reader = new SchemaReader(document, budget);
    SchemaPlace root = document.root();
    Expression expression = new ValueWriter(reader).value(List.of(root));
    if (expression.equals(Expression.NONE)) {
      throw root.problem(
          "has no answer: no value is valid for it, or each would have a definition in itself more"
              + " than "
              + SchemaPlace.MOST_RECURSION
              + " times");
    }
    return expression;
  }

  /** Takes the work of reading one schema, or of merging two, from the budget. */
  void spendSchema() {
    budget.spend(SCHEMA_WORK);
  }

  /** Takes the work of one part of an expression from the budget. */
  void spendPart() {
    budget.spend(PART_WORK);
  }

  /** Takes the work of comparing two shapes, or a shape and a value, from the budget. */
  void spendComparison() {
    budget.spend(COMPARISON_WORK);
  }

  /**
   * The values that are valid for all of some schemas.
   *
   * @param schemas none for any value
   */
  Alternatives alternatives(List<SchemaPlace> schemas) {
    Alternatives alternatives = Alternatives.ANY;
    for (SchemaPlace schema : schemas) {
      alternatives = narrowed(alternatives, schema);
    }
    return alternatives;
  }

  /** Those of some values that are valid for a schema, too. */
  private Alternatives narrowed(Alternatives values, SchemaPlace place) {
    spendSchema();
    JsonNode schema = place.schema();
    if (schema.isBoolean()) {
      return schema.booleanValue() ? values : Alternatives.NONE;
    }
    if (!schema.isObject()) {
      throw place.problem(
          "must be a schema (an object, true or false), is " + SchemaPlace.shortened(schema));
    }
    checkKeywords(place);
    Alternatives narrowed = values;
    if (hasKeywordsOfTypes(place)) {
      narrowed = narrowed.and(typed(place), this);
    }
    if (place.has("const")) {
      narrowed = narrowed.and(constants(List.of(schema.get("const"))), this);
    }
    if (place.has("enum")) {
      narrowed = narrowed.and(constants(enumeration(place)), this);
    }
    if (place.has("$ref")) {
      Optional<SchemaPlace> target = document.follow(place);
      narrowed = target.isPresent() ? narrowed(narrowed, target.get()) : Alternatives.NONE;
    }
    if (place.has("allOf")) {
      for (SchemaPlace part : place.children("allOf")) {
        narrowed = narrowed(narrowed, part);
      }
    }
    if (place.has("anyOf")) {
      narrowed = Alternatives.or(branches(narrowed, place, "anyOf"));
    }
    if (place.has("oneOf")) {
      narrowed = Alternatives.oneOf(branches(narrowed, place, "oneOf"), place);
    }
    return narrowed;
  }

  private List<Alternatives> branches(Alternatives values, SchemaPlace place, String keyword) {
    List<Alternatives> branches = new ArrayList<>();
    for (SchemaPlace branch : place.children(keyword)) {
      branches.add(narrowed(values, branch));
    }
    return branches;
  }

  private static void checkKeywords(SchemaPlace place) {
    for (Iterator<String> keywords = place.schema().fieldNames(); keywords.hasNext(); ) {
      String keyword = keywords.next();
      // Below the root, $id would change what references lead to.
      boolean known =
          ANNOTATIONS.contains(keyword)
              || GENERAL.contains(keyword)
              || keyword.equals("$id") && place.pointer().isEmpty();
      for (JsonType type : JsonType.values()) {
        known |= keywords(type).contains(keyword);
      }
      if (!known) {
        throw place.problem(keyword, "is not supported; supported are " + supported());
      }
    }
  }

  private static String supported() {
    Set<String> supported = new TreeSet<>(GENERAL);
    for (JsonType type : JsonType.values()) {
      supported.addAll(keywords(type));
    }
    return String.join(", ", supported);
  }

  /** The keywords that hold for values of one type. */
  private static Set<String> keywords(JsonType type) {
    return switch (type) {
      case OBJECT -> ObjectShape.KEYWORDS;
      case ARRAY -> ArrayShape.KEYWORDS;
      case STRING -> StringShape.KEYWORDS;
      case NUMBER -> NumberShape.KEYWORDS;
      case BOOLEAN, NULL -> Set.of();
    };
  }

  private static boolean hasKeywordOf(SchemaPlace place, JsonType type) {
    return keywords(type).stream().anyMatch(place::has);
  }

  private static boolean hasKeywordsOfTypes(SchemaPlace place) {
    return place.has("type")
        || EnumSet.allOf(JsonType.class).stream().anyMatch(type -> hasKeywordOf(place, type));
  }

  /** The values that are valid for a schema's {@code type} and the keywords of each type. */
  private Alternatives typed(SchemaPlace place) {
    Set<String> names = typeNames(place);
    List<Alternatives.Alternative> typed = new ArrayList<>();
    for (Alternatives.Alternative any : Alternatives.ANY.all()) {
      JsonType type = any.shape().type();
      if (names.isEmpty() || names.contains(name(type))) {
        boolean stated = !names.isEmpty() || hasKeywordOf(place, type);
        typed.add(new Alternatives.Alternative(narrowed(any.shape(), place), stated));
      } else if (type == JsonType.NUMBER && names.contains("integer")) {
        Shape integers = ((NumberShape) narrowed(any.shape(), place)).integers();
        typed.add(new Alternatives.Alternative(integers, true));
      }
    }
    return new Alternatives(typed);
  }

  private Shape narrowed(Shape any, SchemaPlace place) {
    return switch (any.type()) {
      case OBJECT -> ObjectShape.read(place);
      case ARRAY -> ArrayShape.read(place);
      case STRING -> StringShape.read(place, budget);
      case NUMBER -> NumberShape.read(place);
      case BOOLEAN, NULL -> any;
    };
  }

  private static String name(JsonType type) {
    return switch (type) {
      case OBJECT -> "object";
      case ARRAY -> "array";
      case STRING -> "string";
      case NUMBER -> "number";
      case BOOLEAN -> "boolean";
      case NULL -> "null";
    };
  }

  /** The names of a schema's types; empty for any. */
  private static Set<String> typeNames(SchemaPlace place) {
    Set<String> names = new TreeSet<>();
    if (!place.has("type")) {
      return names;
    }
    JsonNode type = place.schema().get("type");
    for (JsonNode name : type.isArray() ? type : List.of(type)) {
      boolean known =
          name.asText().equals("integer")
              || EnumSet.allOf(JsonType.class).stream()
                  .anyMatch(each -> name(each).equals(name.textValue()));
      if (!known) {
        throw place.wrong("type", TYPES + ", or a list of them");
      }
      names.add(name.textValue());
    }
    if (names.isEmpty()) {
      throw place.wrong("type", TYPES + ", or a list of them");
    }
    return names;
  }

  private static List<JsonNode> enumeration(SchemaPlace place) {
    JsonNode list = place.schema().get("enum");
    if (!list.isArray()) {
      throw place.wrong("enum", "a list of values");
    }
    List<JsonNode> values = new ArrayList<>();
    list.forEach(values::add);
    return values;
  }

  private static Alternatives constants(List<JsonNode> values) {
    return new Alternatives(
        values.stream()
            .map(value -> new Alternatives.Alternative(new ConstantShape(value), true))
            .toList());
  }
}
