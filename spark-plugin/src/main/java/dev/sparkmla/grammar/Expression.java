package dev.sparkmla.grammar;

import java.util.List;

/**
 * The texts that an answer may have, as a tree: what readers of response formats make and what
 * {@link Network} lays out as states. A part that occurs at two places stands twice.
 */
sealed interface Expression {
  /** A repetition without an upper bound. */
  int UNBOUNDED = Integer.MAX_VALUE;

  /** No text at all, such as an object without a value for a required property. */
  Expression NONE = new Choice(List.of());

  /** The empty text. */
  Expression EMPTY = new Sequence(List.of());

  /** One text, in UTF-8. */
  record Literal(String text) implements Expression {}

  /** One character of a set. */
  record Character(CharacterSet characters) implements Expression {}

  /** One part after another. */
  record Sequence(List<Expression> parts) implements Expression {
    public Sequence {
      parts = List.copyOf(parts);
    }
  }

  /** Any of the alternatives. */
  record Choice(List<Expression> alternatives) implements Expression {
    public Choice {
      alternatives = List.copyOf(alternatives);
    }
  }

  /**
   * A part again and again.
   *
   * @param separator what stands between two of them; {@link #EMPTY} for nothing
   * @param least the fewest parts, 0 or more
   * @param most the most parts, or {@link #UNBOUNDED}
   */
  record Repetition(Expression part, Expression separator, int least, int most)
      implements Expression {}

  /** Where a JSON text may have white space. */
  record Space() implements Expression {}

  /**
   * A JSON string with its quotes, of any characters: control characters, quotes and backslashes
   * are escaped, other characters stand for themselves.
   *
   * @param least the fewest characters (Unicode code points), as JSON schema counts them
   * @param most the most characters
   */
  record JsonString(int least, int most) implements Expression {}

  /**
   * A JSON string with its quotes whose characters are a text of an expression. Characters that
   * JSON must escape are escaped in the one form that Jackson writes.
   *
   * @param text without JSON's parts: made of {@link Literal}, {@link Character}, {@link Sequence},
   *     {@link Choice} and {@link Repetition}
   * @param least the fewest characters (Unicode code points)
   * @param most the most characters
   */
  record JsonText(Expression text, int least, int most) implements Expression {}
}
