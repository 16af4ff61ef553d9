package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;

/** How the parts of a JSON text are written: brackets, names, separators and white space. */
final class JsonTexts {
  private static final Expression SPACE = new Expression.Space();

  /** Between two members or items. */
  static final Expression COMMA = Expression.sequence(SPACE, new Expression.Literal(","), SPACE);

  private JsonTexts() {}

  /**
   * An object.
   *
   * @param members one member or more, with their separators
   * @param mayBeEmpty whether it may have none
   */
  static Expression object(Expression members, boolean mayBeEmpty) {
    return bracketed("{", members, mayBeEmpty, "}");
  }

  /**
   * An array.
   *
   * @param items one item or more, with their separators
   * @param mayBeEmpty whether it may have none
   */
  static Expression array(Expression items, boolean mayBeEmpty) {
    return bracketed("[", items, mayBeEmpty, "]");
  }

  private static Expression bracketed(
      String open, Expression content, boolean mayBeEmpty, String close) {
    // The second space belongs to the content, so that an empty bracket has white space once.
    Expression filled = Expression.sequence(content, SPACE);
    return Expression.sequence(
        new Expression.Literal(open),
        SPACE,
        mayBeEmpty ? Expression.choice(Expression.EMPTY, filled) : filled,
        new Expression.Literal(close));
  }

  /** A name and a value. */
  static Expression member(String name, Expression value) {
    return member(string(name), value);
  }

  /** A name, with its quotes, and a value. */
  static Expression member(Expression name, Expression value) {
    return Expression.sequence(name, SPACE, new Expression.Literal(":"), SPACE, value);
  }

  /** Members or items, all of them, with commas between them; no text where there are none. */
  static Expression separated(List<Expression> parts) {
    if (parts.isEmpty()) {
      return Expression.NONE;
    }
    List<Expression> sequence = new ArrayList<>();
    for (Expression part : parts) {
      if (!sequence.isEmpty()) {
        sequence.add(COMMA);
      }
      sequence.add(part);
    }
    return Expression.sequence(sequence);
  }

  /** Members or items of one kind, with commas between them; no text where there is none. */
  static Expression many(Expression part, int least, int most) {
    return part.equals(Expression.NONE)
        ? Expression.NONE
        : new Expression.Repetition(part, COMMA, least, most);
  }

  /** A string with its quotes, escaped where JSON must be. */
  static Expression string(String text) {
    return new Expression.Literal(TextNode.valueOf(text).toString());
  }
}
