package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Node.Next;
import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Parses the statements of a template (the grammar is Jinja2's). Not thread-safe. */
final class Parser {
  /** How deep statements may be nested, since the parser is recursive. */
  private static final int DEEPEST = 100;

  /** The variable that holds the body of a block for its filters or its call. */
  private static final String BODY = " body";

  private final Tokens tokens;
  private final ExpressionParser expressions;
  private int depth;
  private int loops;

  Parser(List<Token> tokens) {
    this.tokens = new Tokens(tokens);
    this.expressions = new ExpressionParser(this.tokens);
  }

  List<Node> parseAll() {
    return parseUntil(Set.of());
  }

  /**
   * Parses up to a statement with one of the names, whose opening is read too; without names, to
   * the end of the template.
   */
  private List<Node> parseUntil(Set<String> ends) {
    if (++depth > DEEPEST) {
      throw tokens.fault("statements lie deeper than " + DEEPEST + " levels");
    }
    List<Node> nodes = new ArrayList<>();
    while (!ended(ends)) {
      Token token = tokens.next();
      nodes.add(
          switch (token.kind()) {
            case TEXT -> writing(token.text());
            case PRINT -> Node.atLine(token.line(), parsePrint());
            case STATEMENT -> Node.atLine(token.line(), parseStatement(tokens.next()));
            case CLOSE, NAME, STRING, INTEGER, FLOAT, OPERATOR, END ->
                throw tokens.fault("found " + token.text() + "; expected one of " + ends);
          });
    }
    tokens.accept(Kind.STATEMENT, tokens.peek().text());
    depth--;
    return nodes;
  }

  private boolean ended(Set<String> ends) {
    Token token = tokens.peek();
    return ends.isEmpty()
        ? token.kind() == Kind.END
        : token.kind() == Kind.STATEMENT && ends.contains(tokens.peekSecond().text());
  }

  private static Node writing(String text) {
    return (scope, output) -> {
      output.append(text);
      return Next.PART;
    };
  }

  private Node parsePrint() {
    Expression expression = expressions.parseTuple();
    tokens.expect(Kind.CLOSE, "}}");
    return (scope, output) -> {
      output.append(Values.text(expression.value(scope), scope.budget()));
      return Next.PART;
    };
  }

  private Node parseStatement(Token name) {
    return switch (name.text()) {
      case "if" -> parseIf();
      case "for" -> parseFor();
      case "set" -> parseSet();
      case "macro" -> parseMacro();
      case "call" -> parseCallBlock();
      case "with" -> parseWith();
      case "filter" -> parseFilterBlock();
      case "generation" -> parseGeneration();
      case "break" -> parseLoopControl(Next.AFTER_LOOP);
      case "continue" -> parseLoopControl(Next.TURN);
      default -> throw tokens.fault("statement " + name.text() + " is not supported");
    };
  }

  private void close() {
    tokens.expect(Kind.CLOSE, "%}");
  }

  /** Parses a body and its end statement. */
  private List<Node> parseBody(String end) {
    List<Node> body = parseUntil(Set.of(end));
    tokens.expect(Kind.NAME, end);
    close();
    return body;
  }

  /** Parses an if statement: its conditions in order, each with its body, and the else part. */
  private Node parseIf() {
    List<Expression> conditions = new ArrayList<>();
    List<List<Node>> guarded = new ArrayList<>();
    do {
      conditions.add(expressions.parse());
      close();
      guarded.add(parseUntil(Set.of("elif", "else", "endif")));
    } while (tokens.accept(Kind.NAME, "elif"));
    List<Node> otherwise = List.of();
    if (tokens.accept(Kind.NAME, "else")) {
      close();
      otherwise = parseBody("endif");
    } else {
      tokens.expect(Kind.NAME, "endif");
      close();
    }
    List<Node> rest = otherwise;
    return (scope, output) -> {
      for (int i = 0; i < conditions.size(); i++) {
        if (Values.truth(conditions.get(i).value(scope))) {
          return Node.renderAll(guarded.get(i), scope, output);
        }
      }
      return Node.renderAll(rest, scope, output);
    };
  }

  private Node parseFor() {
    List<String> targets = parseNames();
    tokens.expect(Kind.NAME, "in");
    Expression items = expressions.parseTupleWithoutCondition();
    Expression filter = tokens.accept(Kind.NAME, "if") ? expressions.parse() : null;
    boolean recursive = tokens.accept(Kind.NAME, "recursive");
    close();
    loops++;
    List<Node> body = parseUntil(Set.of("else", "endfor"));
    loops--;
    List<Node> otherwise = List.of();
    if (tokens.accept(Kind.NAME, "else")) {
      close();
      otherwise = parseUntil(Set.of("endfor"));
    }
    tokens.expect(Kind.NAME, "endfor");
    close();
    return recursive
        ? (scope, output) -> {
          throw TemplateException.fault("recursive loops are not supported");
        }
        : new ForLoop(targets, items, filter, body, otherwise);
  }

  private List<String> parseNames() {
    boolean enclosed = tokens.accept(Kind.OPERATOR, "(");
    List<String> names = new ArrayList<>();
    do {
      names.add(tokens.expectName());
    } while (tokens.accept(Kind.OPERATOR, ","));
    if (enclosed) {
      tokens.expect(Kind.OPERATOR, ")");
    }
    return names;
  }

  private Node parseSet() {
    String name = tokens.expectName();
    if (tokens.accept(Kind.OPERATOR, ".")) {
      return parseSetAttribute(name);
    }
    List<String> names = new ArrayList<>(List.of(name));
    while (tokens.accept(Kind.OPERATOR, ",")) {
      names.add(tokens.expectName());
    }
    if (!tokens.accept(Kind.OPERATOR, "=")) {
      return parseSetBlock(name);
    }
    Expression value = expressions.parseTuple();
    close();
    return (scope, output) -> {
      ForLoop.assign(names, value.value(scope), scope);
      return Next.PART;
    };
  }

  private Node parseSetAttribute(String name) {
    String attribute = tokens.expectName();
    tokens.expect(Kind.OPERATOR, "=");
    Expression value = expressions.parseTuple();
    close();
    return (scope, output) -> {
      if (!(scope.get(name) instanceof Namespace namespace)) {
        throw TemplateException.fault(name + " is no namespace");
      }
      namespace.set(attribute, value.value(scope));
      return Next.PART;
    };
  }

  private Node parseSetBlock(String name) {
    Expression filtered = expressions.terms().parseFilters(scope -> scope.get(BODY));
    close();
    List<Node> body = parseBody("endset");
    return (scope, output) -> {
      scope.set(name, rendered(body, filtered, scope));
      return Next.PART;
    };
  }

  private Node parseFilterBlock() {
    Expression first = expressions.terms().parseFilter(scope -> scope.get(BODY));
    Expression filtered = expressions.terms().parseFilters(first);
    close();
    List<Node> body = parseBody("endfilter");
    return (scope, output) -> {
      output.append(Values.text(rendered(body, filtered, scope), scope.budget()));
      return Next.PART;
    };
  }

  private static Object rendered(List<Node> body, Expression filtered, Scope scope) {
    Scope inner = scope.inner();
    inner.set(BODY, Node.text(body, inner));
    return filtered.value(inner);
  }

  private Node parseMacro() {
    String name = tokens.expectName();
    Map<String, Expression> parameters = parseParameters();
    List<Node> body = parseMacroBody("endmacro");
    return (scope, output) -> {
      scope.set(name, new Macro(name, parameters, body, scope));
      return Next.PART;
    };
  }

  private Map<String, Expression> parseParameters() {
    Map<String, Expression> parameters = new LinkedHashMap<>();
    tokens.expect(Kind.OPERATOR, "(");
    while (!tokens.accept(Kind.OPERATOR, ")")) {
      String parameter = tokens.expectName();
      Expression absent = scope -> new Undefined(parameter);
      parameters.put(parameter, tokens.accept(Kind.OPERATOR, "=") ? expressions.parse() : absent);
      if (!tokens.peek().is(Kind.OPERATOR, ")")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return parameters;
  }

  /**
   * Parses the body of a macro, in which break and continue cannot refer to a loop around the
   * macro.
   */
  private List<Node> parseMacroBody(String end) {
    close();
    int enclosing = loops;
    loops = 0;
    List<Node> body = parseBody(end);
    loops = enclosing;
    return body;
  }

  /** Parses a call block: a call of a macro, which can call the block's body as {@code caller}. */
  private Node parseCallBlock() {
    Map<String, Expression> parameters =
        tokens.peek().is(Kind.OPERATOR, "(") ? parseParameters() : Map.of();
    Expression call = expressions.terms().parseCallOf(Macro.CALLER, scope -> scope.get(BODY));
    List<Node> body = parseMacroBody("endcall");
    return (scope, output) -> {
      Scope inner = scope.inner();
      inner.set(BODY, new Macro(Macro.CALLER, parameters, body, scope));
      output.append(Values.text(call.value(inner), scope.budget()));
      return Next.PART;
    };
  }

  private Node parseWith() {
    Map<String, Expression> values = new LinkedHashMap<>();
    while (tokens.peek().kind() == Kind.NAME) {
      String name = tokens.expectName();
      tokens.expect(Kind.OPERATOR, "=");
      values.put(name, expressions.parse());
      if (!tokens.accept(Kind.OPERATOR, ",")) {
        break;
      }
    }
    close();
    List<Node> body = parseBody("endwith");
    return (scope, output) -> {
      Scope inner = scope.inner();
      values.forEach((name, value) -> inner.set(name, value.value(scope)));
      return Node.renderAll(body, inner, output);
    };
  }

  private Node parseGeneration() {
    List<Node> body = parseMacroBody("endgeneration");
    return (scope, output) -> Node.renderAll(body, scope.inner(), output);
  }

  private Node parseLoopControl(Next next) {
    if (loops == 0) {
      throw tokens.fault("break and continue need a loop around them");
    }
    close();
    return (scope, output) -> next;
  }
}
