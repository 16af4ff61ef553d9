package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * A schema within a document, and how the reader came there. Immutable.
 *
 * @param schema the schema's JSON
 * @param lineage the references that were followed and the keywords that were entered on the way
 */
record SchemaPlace(JsonNode schema, Lineage lineage) {
  /** How deep schemas may stand within schemas, references followed. */
  static final int MOST_DEPTH = 100;

  /** How often a definition may be followed on one way into the schema. */
  static final int MOST_RECURSION = 5;

  private static final int MOST_SHOWN = 80;

  /**
   * One step of the way to a schema. Pointers are put together when they are asked for, since a
   * long name may have many schemas below it.
   *
   * @param parent the step before; null at the document's root
   * @param pointer from the step before, or from the root where the step followed a reference
   * @param isReference whether it did
   * @param depth the number of steps before
   */
  record Lineage(Lineage parent, String pointer, boolean isReference, int depth) {
    static final Lineage ROOT = new Lineage(null, "", true, 0);

    private int follows(String definition) {
      int follows = 0;
      for (Lineage step = this; step != ROOT; step = step.parent) {
        if (step.isReference && step.pointer.equals(definition)) {
          follows++;
        }
      }
      return follows;
    }

    private String wholePointer() {
      Deque<String> pointers = new ArrayDeque<>();
      Lineage step = this;
      while (!step.isReference) {
        pointers.addFirst("/" + step.pointer);
        step = step.parent;
      }
      return step.pointer + String.join("", pointers);
    }
  }

  /** The schema's JSON pointer. */
  String pointer() {
    return lineage.wholePointer();
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
    return step(schema.get(keyword), escaped(keyword), false);
  }

  /** The schemas in the list that a keyword has. */
  List<SchemaPlace> children(String keyword) {
    JsonNode list = schema.get(keyword);
    if (!list.isArray()) {
      throw wrong(keyword, "a list of schemas");
    }
    List<SchemaPlace> children = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) {
      children.add(step(list.get(i), keyword + '/' + i, false));
    }
    return children;
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
    return Optional.of(step(schema, definition, true));
  }

  private SchemaPlace step(JsonNode schema, String pointer, boolean isReference) {
    if (lineage.depth == MOST_DEPTH) {
      throw problem("has schemas in it that stand in more than " + MOST_DEPTH + " others");
    }
    return new SchemaPlace(schema, new Lineage(lineage, pointer, isReference, lineage.depth + 1));
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
    return InvalidResponseFormatException.at(pointer() + '/' + escaped(keyword), problem);
  }

  /** What to throw for the schema. */
  InvalidResponseFormatException problem(String problem) {
    return InvalidResponseFormatException.at(pointer(), problem);
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
