package dev.sparkmla.grammar;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The texts that an answer may have, as a tree: what readers of response formats make and what
 * {@link Layout} lays out as states. A part that occurs at two places stands twice.
 */
sealed interface Expression {
  /** A repetition without an upper bound. */
  int UNBOUNDED = Integer.MAX_VALUE;

  /** No text at all, such as an object without a value for a required property. */
  Expression NONE = new Choice(List.of());

  /** The empty text. */
  Expression EMPTY = new Sequence(List.of());

  /** One part after another; no text at all if a part has none. */
  static Expression sequence(Expression... parts) {
    return sequence(List.of(parts));
  }

  /** One part after another; no text at all if a part has none. */
  static Expression sequence(List<Expression> parts) {
    return parts.contains(NONE) ? NONE : new Sequence(parts);
  }

  /** Any of the alternatives that have a text. */
  static Expression choice(Expression... alternatives) {
    return choice(List.of(alternatives));
  }

  /** Any of the alternatives that have a text. */
  static Expression choice(List<Expression> alternatives) {
    List<Expression> possible =
        alternatives.stream().filter(alternative -> !alternative.equals(NONE)).toList();
    return possible.size() == 1 ? possible.get(0) : new Choice(possible);
  }

  /** Lays the texts out between two states. */
  void layOut(Layout layout, int from, int to);

  /** One text, in UTF-8. */
  record Literal(String text) implements Expression {
    /**
     * @throws InvalidResponseFormatException when the text has half a surrogate pair
     */
    public Literal {
      if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
        throw new InvalidResponseFormatException(
            "the response format has a text with half a surrogate pair, which UTF-8 cannot hold");
      }
    }

    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.literal(text, from, to);
    }
  }

  /** One character of a set. */
  record Character(CharacterSet characters) implements Expression {
    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.character(characters, from, to);
    }
  }

  /** One part after another. */
  record Sequence(List<Expression> parts) implements Expression {
    public Sequence {
      parts = List.copyOf(parts);
    }

    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.sequence(parts, from, to);
    }
  }

  /** Any of the alternatives. */
  record Choice(List<Expression> alternatives) implements Expression {
    public Choice {
      alternatives = List.copyOf(alternatives);
    }

    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.choice(alternatives, from, to);
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
      implements Expression {
    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.repetition(this, from, to);
    }
  }

  /**
   * Parts in their order, of which some may be left out, but not all.
   *
   * @param separator what stands between two of those that are there
   */
  record Selection(List<Part> parts, Expression separator) implements Expression {
    public Selection {
      parts = List.copyOf(parts);
    }

    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.selection(this, from, to);
    }
  }

  /**
   * A part of a {@link Selection}.
   *
   * @param isRequired whether it may not be left out
   */
  record Part(Expression expression, boolean isRequired) {}

  /** Where a JSON text may have white space. */
  record Space() implements Expression {
    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.space(from, to);
    }
  }

  /**
   * A JSON string with its quotes, of any characters. Control characters, quotes and backslashes
   * are escaped in the one form that Jackson writes; other characters stand for themselves.
   *
   * @param least the fewest characters (Unicode code points), as JSON schema counts them
   * @param most the most characters
   */
  record JsonString(int least, int most) implements Expression {
    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.jsonString(least, most, from, to);
    }
  }

  /**
   * A JSON string with its quotes whose characters are a text of an expression, escaped like those
   * of {@link JsonString}.
   *
   * @param text without JSON's parts: made of {@link Literal}, {@link Character}, {@link Sequence},
   *     {@link Choice} and {@link Repetition}
   * @param least the fewest characters (Unicode code points)
   * @param most the most characters, or {@link #UNBOUNDED}
   */
  record JsonText(Expression text, int least, int most) implements Expression {
    @Override
    public void layOut(Layout layout, int from, int to) {
      layout.jsonText(this, from, to);
    }
  }
}
