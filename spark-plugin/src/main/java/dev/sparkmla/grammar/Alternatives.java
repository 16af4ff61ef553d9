package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.NullNode;
import java.util.ArrayList;
import java.util.List;

/**
 * The values that a schema allows: those of any of some shapes. Immutable.
 *
 * @param all the shapes
 */
record Alternatives(List<Alternative> all) {
  /** No value. */
  static final Alternatives NONE = new Alternatives(List.of());

  /** Any value. */
  static final Alternatives ANY =
      new Alternatives(
          List.of(
              new Alternative(ObjectShape.ANY, false),
              new Alternative(ArrayShape.ANY, false),
              new Alternative(StringShape.ANY, false),
              new Alternative(NumberShape.ANY, false),
              new Alternative(new ConstantShape(BooleanNode.TRUE), false),
              new Alternative(new ConstantShape(BooleanNode.FALSE), false),
              new Alternative(new ConstantShape(NullNode.getInstance()), false)));

  /**
   * One of the shapes.
   *
   * @param stated whether the schema names its type or has a keyword of it. Beside {@code
   *     {"minLength": 2}} a number is valid, too; such shapes are kept because they decide which
   *     texts are valid for another schema, but they are not written.
   */
  record Alternative(Shape shape, boolean stated) {}

  Alternatives {
    all = List.copyOf(all);
  }

  /** The values that are in both. */
  Alternatives and(Alternatives other, SchemaReader reader) {
    List<Alternative> both = new ArrayList<>();
    for (Alternative left : all) {
      for (Alternative right : other.all) {
        reader.spendComparison();
        and(left.shape, right.shape, reader, both, left.stated || right.stated);
      }
    }
    return new Alternatives(both);
  }

  /** Whether a value is among them. */
  boolean admit(JsonNode value, SchemaReader reader) {
    reader.spendComparison();
    return all.stream()
        .map(Alternative::shape)
        .anyMatch(shape -> shape.type() == JsonType.of(value) && shape.admits(value, reader));
  }

  private static void and(
      Shape left, Shape right, SchemaReader reader, List<Alternative> both, boolean stated) {
    if (left.type() != right.type()) {
      return;
    }
    if (left instanceof ConstantShape constant) {
      if (right.admits(constant.value(), reader)) {
        both.add(new Alternative(left, stated));
      }
    } else if (right instanceof ConstantShape constant) {
      if (left.admits(constant.value(), reader)) {
        both.add(new Alternative(right, stated));
      }
    } else {
      reader.spendSchema();
      left.and(right).ifPresent(shape -> both.add(new Alternative(shape, stated)));
    }
  }

  /**
   * The values of any of the branches. A branch that states no type, as {@code {}}, allows them
   * all.
   */
  static Alternatives or(List<Alternatives> branches) {
    List<Alternative> any = new ArrayList<>();
    for (Alternatives branch : branches) {
      boolean anyStated = branch.anyStated();
      for (Alternative alternative : branch.all) {
        any.add(new Alternative(alternative.shape, alternative.stated || !anyStated));
      }
    }
    return new Alternatives(any);
  }

  /** The shapes whose values are written: those that are stated, or all where none is. */
  List<Shape> written() {
    boolean anyStated = anyStated();
    return all.stream()
        .filter(alternative -> alternative.stated || !anyStated)
        .map(Alternative::shape)
        .toList();
  }

  private boolean anyStated() {
    return all.stream().anyMatch(Alternative::stated);
  }
}
