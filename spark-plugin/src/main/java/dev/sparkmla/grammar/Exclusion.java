package dev.sparkmla.grammar;

import java.util.List;

/**
 * Whether texts that are written for one branch of a {@code oneOf} can be valid for another, which
 * they must not. For one thread.
 *
 * @param reader reads the schemas of properties
 * @param levels how deep properties may still be compared
 */
record Exclusion(SchemaReader reader, int levels) {
  private static final int MOST_LEVELS = 3;

  Exclusion(SchemaReader reader) {
    this(reader, MOST_LEVELS);
  }

  /**
   * Checks the branches of a schema's {@code oneOf}.
   *
   * @throws InvalidResponseFormatException naming two branches that cannot be told apart
   */
  void check(List<Alternatives> branches, SchemaPlace place) {
    for (int i = 0; i < branches.size(); i++) {
      for (int j = 0; j < branches.size(); j++) {
        if (i != j && !excludes(branches.get(i), branches.get(j))) {
          throw place.problem(
              "oneOf",
              "is supported only where its branches exclude each other, by their types, constants,"
                  + " bounds or a required property's; a value of branch "
                  + i
                  + " may be valid for branch "
                  + j
                  + ": use anyOf, or give each branch a required property with a const of its own");
        }
      }
    }
  }

  /** Whether no text that is written for some values is among others. */
  private boolean excludes(Alternatives written, Alternatives others) {
    for (Alternatives.Alternative one : written.all()) {
      for (Alternatives.Alternative other : others.all()) {
        reader.spendComparison();
        if (one.shape().type() == other.shape().type() && !excludes(one.shape(), other.shape())) {
          return false;
        }
      }
    }
    return true;
  }

  private boolean excludes(Shape written, Shape other) {
    return other instanceof ConstantShape constant
        ? !written.admits(constant.value(), reader)
        : written.excludes(other, this);
  }

  /** Whether no value that is written for a property's schemas is valid for those of another. */
  boolean ofProperties(List<SchemaPlace> written, List<SchemaPlace> others) {
    return levels > 0
        && new Exclusion(reader, levels - 1)
            .excludes(reader.alternatives(written), reader.alternatives(others));
  }
}
