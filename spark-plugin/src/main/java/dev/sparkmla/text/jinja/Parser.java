package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Node.Next;
import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Builds the parts of a template that write text: its statements (grammar: Jinja2's). */
final class Parser {
  /** Statements within statements; more is no template but an attack on the stack. */
  private static final int DEEPEST = 100;

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

  /** Parses up to a statement of one of the names, whose opening is read too; else to the end. */
  private List<Node> parseUntil(Set<String> ends) {
    if (++depth > DEEPEST) {
      throw tokens.fault("statements lie deeper than " + DEEPEST);
    }
    List<Node> nodes = new ArrayList<>();
    while (!ended(ends)) {
      Token token = tokens.next();
      nodes.add(
          switch (token.kind()) {
            case TEXT -> writing(token.text());
            case PRINT -> parsePrint();
            case STATEMENT -> parseStatement(tokens.next());
            default -> throw tokens.fault("found " + token.text() + "; expected one of " + ends);
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
      output.append(Values.text(expression.value(scope)));
      return Next.PART;
    };
  }

  private Node parseStatement(Token name) {
    return switch (name.text()) {
      case "if" -> parseIf();
      case "for" -> parseFor();
      case "set" -> parseSet();
      case "macro" -> parseMacro();
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

  private Node parseIf() {
    Expression condition = expressions.parse();
    close();
    List<Node> then = parseUntil(Set.of("elif", "else", "endif"));
    List<Node> otherwise;
    if (tokens.accept(Kind.NAME, "elif")) {
      otherwise = List.of(parseIf());
    } else if (tokens.accept(Kind.NAME, "else")) {
      close();
      otherwise = parseBody("endif");
    } else {
      tokens.expect(Kind.NAME, "endif");
      close();
      otherwise = List.of();
    }
    return (scope, output) ->
        Node.renderAll(Values.truth(condition.value(scope)) ? then : otherwise, scope, output);
  }

  private Node parseFor() {
    List<String> targets = parseNames();
    tokens.expect(Kind.NAME, "in");
    Expression items = expressions.parseTupleWithoutCondition();
    Expression filter = tokens.accept(Kind.NAME, "if") ? expressions.parse() : scope -> true;
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
    return new ForLoop(targets, items, filter, body, otherwise);
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
      String attribute = tokens.expectName();
      tokens.expect(Kind.OPERATOR, "=");
      Expression value = expressions.parseTuple();
      close();
      return (scope, output) -> {
        Object owner = scope.get(name);
        if (!(owner instanceof Namespace namespace)) {
          throw TemplateException.fault(name + " is no namespace");
        }
        namespace.values().put(attribute, value.value(scope));
        return Next.PART;
      };
    }
    List<String> names = new ArrayList<>(List.of(name));
    while (tokens.accept(Kind.OPERATOR, ",")) {
      names.add(tokens.expectName());
    }
    if (tokens.accept(Kind.OPERATOR, "=")) {
      Expression value = expressions.parseTuple();
      close();
      return (scope, output) -> {
        assign(names, value.value(scope), scope);
        return Next.PART;
      };
    }
    return parseSetBlock(name);
  }

  private Node parseSetBlock(String name) {
    Expression filtered = expressions.parseFilters(scope -> scope.get(ExpressionParser.BODY));
    close();
    List<Node> body = parseBody("endset");
    return (scope, output) -> {
      scope.set(name, rendered(body, filtered, scope));
      return Next.PART;
    };
  }

  private Node parseFilterBlock() {
    Expression filtered = expressions.parseFilter(scope -> scope.get(ExpressionParser.BODY));
    close();
    List<Node> body = parseBody("endfilter");
    return (scope, output) -> {
      output.append(Values.text(rendered(body, filtered, scope)));
      return Next.PART;
    };
  }

  private static Object rendered(List<Node> body, Expression filtered, Scope scope) {
    Scope inner = scope.inner();
    StringBuilder text = new StringBuilder();
    Node.renderAll(body, inner, text);
    inner.set(ExpressionParser.BODY, text.toString());
    return filtered.value(inner);
  }

  static void assign(List<String> names, Object value, Scope scope) {
    if (names.size() == 1) {
      scope.set(names.get(0), value);
      return;
    }
    List<Object> values = Values.items(value);
    if (values.size() != names.size()) {
      throw TemplateException.fault(values.size() + " values for " + names);
    }
    for (int i = 0; i < names.size(); i++) {
      scope.set(names.get(i), values.get(i));
    }
  }

  private Node parseMacro() {
    String name = tokens.expectName();
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
    close();
    int enclosing = loops;
    loops = 0;
    List<Node> body = parseBody("endmacro");
    loops = enclosing;
    return (scope, output) -> {
      scope.set(name, new Macro(name, parameters, body, scope));
      return Next.PART;
    };
  }

  private Node parseGeneration() {
    close();
    List<Node> body = parseBody("endgeneration");
    return (scope, output) -> Node.renderAll(body, scope.inner(), output);
  }

  private Node parseLoopControl(Next next) {
    if (loops == 0) {
      throw tokens.fault("break and continue need a loop around them");
    }
    close();
    return (scope, output) -> next;
  }

  /** A macro and where it was defined. */
  private record Macro(
      String name, Map<String, Expression> parameters, List<Node> body, Scope scope)
      implements Callable {
    @Override
    public Object call(List<Object> arguments, Map<String, Object> named) {
      if (arguments.size() > parameters.size()) {
        throw TemplateException.fault(name + " takes " + parameters.size() + " arguments");
      }
      Map<String, Object> unused = new HashMap<>(named);
      Scope inner = scope.inner();
      int position = 0;
      for (Map.Entry<String, Expression> parameter : parameters.entrySet()) {
        String key = parameter.getKey();
        if (position < arguments.size()) {
          inner.set(key, arguments.get(position));
        } else if (unused.containsKey(key)) {
          inner.set(key, unused.remove(key));
        } else {
          inner.set(key, parameter.getValue().value(inner));
        }
        position++;
      }
      if (!unused.isEmpty()) {
        throw TemplateException.fault(name + " takes no " + unused.keySet());
      }
      StringBuilder text = new StringBuilder();
      Node.renderAll(body, inner, text);
      return text.toString();
    }
  }
}
