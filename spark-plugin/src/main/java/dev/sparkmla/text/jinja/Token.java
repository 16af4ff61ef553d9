package dev.sparkmla.text.jinja;

/**
 * A lexical token of a template's source.
 *
 * @param kind what it is
 * @param text its characters; those it stands for where it is a text or a string
 * @param line where it begins, from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    /** Text outside of any tag. */
    TEXT,
    /** What opens a printed expression. */
    PRINT,
    /** What opens a statement. */
    STATEMENT,
    /** What closes either. */
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
