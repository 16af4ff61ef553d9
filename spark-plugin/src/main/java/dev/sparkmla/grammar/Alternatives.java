package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.NullNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

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
   * @param branches those of each {@code oneOf} that the shape comes from
   */
  record Alternative(Shape shape, boolean stated, List<Branch> branches) {
    Alternative {
      branches = List.copyOf(branches);
    }

    /** One that comes from no {@code oneOf}. */
    Alternative(Shape shape, boolean stated) {
      this(shape, stated, List.of());
    }
  }

  /**
   * A branch of a {@code oneOf}, whose values may not be valid for the others.
   *
   * @param place the schema that has the keyword
   * @param all the branches
   * @param index which of them it is
   */
  record Branch(SchemaPlace place, List<Alternatives> all, int index) {}

  Alternatives {
    all = List.copyOf(all);
  }

  /** The values that are in both. */
  Alternatives and(Alternatives other, SchemaReader reader) {
    List<Alternative> both = new ArrayList<>();
    for (Alternative left : all) {
      for (Alternative right : other.all) {
        reader.spendComparison();
        shared(left.shape, right.shape, reader)
            .ifPresent(shape -> both.add(together(shape, left, right)));
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

  private static Alternative together(Shape shape, Alternative left, Alternative right) {
    List<Branch> branches = new ArrayList<>(left.branches);
    branches.addAll(right.branches);
    return new Alternative(shape, left.stated || right.stated, branches);
  }

  /** The values that are in both shapes; empty when there is none. */
  private static Optional<Shape> shared(Shape left, Shape right, SchemaReader reader) {
    if (left.type() != right.type()) {
      return Optional.empty();
    }
    if (left instanceof ConstantShape constant) {
      return right.admits(constant.value(), reader) ? Optional.of(left) : Optional.empty();
    }
    if (right instanceof ConstantShape constant) {
      return left.admits(constant.value(), reader) ? Optional.of(right) : Optional.empty();
    }
    reader.spendSchema();
    return left.and(right);
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
        any.add(
            new Alternative(
                alternative.shape, alternative.stated || !anyStated, alternative.branches));
      }
    }
    return new Alternatives(any);
  }

  /**
   * The values of any of the branches of a {@code oneOf}. That they are of no other branch is
   * checked where they are written ({@link Exclusion}): schemas beside it may still narrow them.
   */
  static Alternatives oneOf(List<Alternatives> branches, SchemaPlace place) {
    List<Alternatives> marked = new ArrayList<>();
    for (int i = 0; i < branches.size(); i++) {
      marked.add(branches.get(i).from(new Branch(place, branches, i)));
    }
    return or(marked);
  }

  private Alternatives from(Branch branch) {
    return new Alternatives(
        all.stream()
            .map(
                each -> {
                  List<Branch> branches = new ArrayList<>(each.branches);
                  branches.add(branch);
                  return new Alternative(each.shape, each.stated, branches);
                })
            .toList());
  }

  /** The shapes whose values are written: those that are stated, or all where none is. */
  List<Alternative> written() {
    boolean anyStated = anyStated();
    return all.stream().filter(alternative -> alternative.stated || !anyStated).toList();
  }

  private boolean anyStated() {
    return all.stream().anyMatch(Alternative::stated);
  }
}
