package dev.sparkmla.text.jinja;

/**
 * A lexical token of a template's source. Immutable.
 *
 * @param kind the kind of token
 * @param text its characters; of a text or a string literal, those that it stands for
 * @param line the line on which it begins, from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    /** Text outside of any tag. */
    TEXT,
    /** The opening of a printed expression. */
    PRINT,
    /** The opening of a statement. */
    STATEMENT,
    /** The closing of either. */
    CLOSE,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind kind, String text) {
    return this.kind == kind && this.text.equals(text);
  }
}
