package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.List;

/** A template's tokens with a reading position. Not thread-safe. */
final class Tokens {
  private final List<Token> tokens;
  private int at;

  Tokens(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  /** The token after the next one, without reading it. */
  Token peekSecond() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  /** Reads the next token; the end can be read repeatedly. */
  Token next() {
    Token token = tokens.get(at);
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  boolean accept(Kind kind, String text) {
    boolean accepted = peek().is(kind, text);
    if (accepted) {
      next();
    }
    return accepted;
  }

  void expect(Kind kind, String text) {
    if (!accept(kind, text)) {
      throw unexpected(text);
    }
  }

  String expectName() {
    if (peek().kind() != Kind.NAME) {
      throw unexpected("a name");
    }
    return next().text();
  }

  TemplateException unexpected(String expected) {
    String found = peek().kind() == Kind.END ? "the end" : "'" + peek().text() + "'";
    return fault("found " + found + "; expected " + expected);
  }

  TemplateException fault(String problem) {
    return TemplateException.fault("line " + peek().line() + ": " + problem);
  }
}
