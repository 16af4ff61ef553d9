package dev.sparkmla.grammar;

/** Says what is wrong with a pattern, and where. */
final class PatternProblem {
  private PatternProblem() {}

  /** Something that no pattern may have. */
  static InvalidResponseFormatException of(String problem, int index) {
    return new InvalidResponseFormatException(
        "the pattern has " + problem + ", at character " + index);
  }

  /** A construct that an automaton cannot have, or that is not known. */
  static InvalidResponseFormatException unsupported(String construct, int index) {
    return new InvalidResponseFormatException(
        "the pattern has "
            + construct
            + ", at character "
            + index
            + ", which is not supported; supported are groups, alternatives, classes, escapes,"
            + " quantifiers, and ^ and $ where the pattern begins and ends");
  }
}
