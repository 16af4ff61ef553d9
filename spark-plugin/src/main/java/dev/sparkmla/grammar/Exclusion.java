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
   * Checks that what is written for a branch of each {@code oneOf} is valid for no other.
   *
   * @throws InvalidResponseFormatException naming two branches that cannot be told apart
   */
  void check(Alternatives.Alternative written) {
    for (Alternatives.Branch branch : written.branches()) {
      for (int i = 0; i < branch.all().size(); i++) {
        if (i != branch.index() && !excludes(written.shape(), branch.all().get(i))) {
          throw branch
              .place()
              .problem(
                  "oneOf",
                  "is supported only where its branches exclude each other, by their types,"
                      + " constants, bounds or a required property's; a value of branch "
                      + branch.index()
                      + " may be valid for branch "
                      + i
                      + ": use anyOf, or give each branch a required property with a const of its"
                      + " own");
        }
      }
    }
  }

  /** Whether no text that is written for a shape is among some values. */
  private boolean excludes(Shape written, Alternatives others) {
    for (Alternatives.Alternative other : others.all()) {
      reader.spendComparison();
      if (written.type() == other.shape().type() && !excludes(written, other.shape())) {
        return false;
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
    if (levels == 0) {
      return false;
    }
    Exclusion deeper = new Exclusion(reader, levels - 1);
    Alternatives values = reader.alternatives(others);
    return reader.alternatives(written).written().stream()
        .allMatch(alternative -> deeper.excludes(alternative.shape(), values));
  }
}
