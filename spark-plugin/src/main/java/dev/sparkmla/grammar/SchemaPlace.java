package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A schema within a document, and how the reader came there. Immutable.
 *
 * @param pointer its JSON pointer
 * @param schema the schema's JSON
 * @param lineage the references that were followed and the schemas that were entered on the way
 */
record SchemaPlace(String pointer, JsonNode schema, Lineage lineage) {
  /** How deep schemas may stand within schemas, references followed. */
  static final int MOST_DEPTH = 100;

  /** How often a definition may be followed on one way into the schema. */
  static final int MOST_RECURSION = 5;

  private static final int MOST_SHOWN = 80;

  /**
   * One step of the way to a schema.
   *
   * @param parent the step before; null at the document's root
   * @param reference the definition that the step followed; empty for a step into a keyword
   * @param depth the number of steps before
   */
  record Lineage(Lineage parent, Optional<String> reference, int depth) {
    static final Lineage ROOT = new Lineage(null, Optional.empty(), 0);

    private Lineage step(Optional<String> reference) {
      return new Lineage(this, reference, depth + 1);
    }

    private int follows(String definition) {
      int follows = 0;
      for (Lineage step = this; step != null; step = step.parent) {
        if (step.reference.isPresent() && step.reference.get().equals(definition)) {
          follows++;
        }
      }
      return follows;
    }
  }

  /** The schemas of both lists. */
  static List<SchemaPlace> together(List<SchemaPlace> left, List<SchemaPlace> right) {
    List<SchemaPlace> both = new ArrayList<>(left);
    both.addAll(right);
    return both;
  }

  /** Whether the schema has a keyword. */
  boolean has(String keyword) {
    return schema.has(keyword);
  }

  /** The value of a keyword, as a schema. */
  SchemaPlace child(String keyword) {
    return descendant(pointer + '/' + escaped(keyword), schema.get(keyword));
  }

  /** The schemas in the list that a keyword has. */
  List<SchemaPlace> children(String keyword) {
    JsonNode list = schema.get(keyword);
    if (!list.isArray()) {
      throw wrong(keyword, "a list of schemas");
    }
    List<SchemaPlace> children = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) {
      children.add(descendant(pointer + '/' + keyword + '/' + i, list.get(i)));
    }
    return children;
  }

  private SchemaPlace descendant(String pointer, JsonNode schema) {
    return new SchemaPlace(pointer, schema, deeper(pointer, Optional.empty()));
  }

  /**
   * The place that a reference leads to.
   *
   * @return empty where the definition was followed as often as it may be
   */
  Optional<SchemaPlace> follow(String definition, JsonNode schema) {
    if (lineage.follows(definition) == MOST_RECURSION) {
      return Optional.empty();
    }
    return Optional.of(
        new SchemaPlace(definition, schema, deeper(pointer, Optional.of(definition))));
  }

  private Lineage deeper(String pointer, Optional<String> reference) {
    if (lineage.depth == MOST_DEPTH) {
      throw InvalidResponseFormatException.at(
          pointer, "stands in more than " + MOST_DEPTH + " schemas, references followed");
    }
    return lineage.step(reference);
  }

  /** A count that a keyword has, at most {@link Expression#UNBOUNDED}. */
  int count(String keyword, int otherwise) {
    if (!has(keyword)) {
      return otherwise;
    }
    JsonNode count = schema.get(keyword);
    if (!count.isNumber()
        || count.decimalValue().signum() < 0
        || count.decimalValue().stripTrailingZeros().scale() > 0) {
      throw wrong(keyword, "a whole number of 0 or more");
    }
    return count.canConvertToInt() ? count.intValue() : Expression.UNBOUNDED;
  }

  /** What to throw where a keyword has another value than it can have. */
  InvalidResponseFormatException wrong(String keyword, String expected) {
    return problem(keyword, "must be " + expected + ", is " + shortened(schema.get(keyword)));
  }

  /** What to throw for a keyword. */
  InvalidResponseFormatException problem(String keyword, String problem) {
    return InvalidResponseFormatException.at(pointer + '/' + escaped(keyword), problem);
  }

  /** What to throw for the schema. */
  InvalidResponseFormatException problem(String problem) {
    return InvalidResponseFormatException.at(pointer, problem);
  }

  /** A value as a message shows it. */
  static String shortened(JsonNode value) {
    if (value.isObject()) {
      return "an object";
    }
    if (value.isArray()) {
      return "a list";
    }
    String text = value.toString();
    return text.length() <= MOST_SHOWN ? text : text.substring(0, MOST_SHOWN) + "...";
  }

  private static String escaped(String name) {
    return name.replace("~", "~0").replace("/", "~1");
  }
}
