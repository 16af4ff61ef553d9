package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Parses the terms between the operators of an expression: names, literals and enclosed
 * expressions, with the attributes, subscripts, calls, filters and tests that follow them. Not
 * thread-safe.
 */
final class TermParser {
  private static final Set<String> NO_ARGUMENT = Set.of("else", "or", "and", "is", "if", "in");

  private final Tokens tokens;
  private final ExpressionParser expressions;

  TermParser(Tokens tokens, ExpressionParser expressions) {
    this.tokens = tokens;
    this.expressions = expressions;
  }

  /** Parses a term without filters and tests. */
  Expression parseTerm() {
    return parsePostfix(parsePrimary());
  }

  private Expression parsePrimary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> named(token.text());
      case STRING -> parseString(token.text());
      case INTEGER -> constant(integer(token.text()));
      case FLOAT -> constant(Double.valueOf(token.text()));
      case OPERATOR -> parseEnclosed(token.text());
      case TEXT, PRINT, STATEMENT, CLOSE, END ->
          throw tokens.fault("found " + token.text() + "; expected an expression");
    };
  }

  /** The value of an integer literal: decimal, or with the prefix 0x, 0o or 0b. */
  private Object integer(String digits) {
    boolean marked = digits.length() > 2 && !Character.isDigit(digits.charAt(1));
    int radix =
        marked
            ? switch (digits.charAt(1)) {
              case 'x', 'X' -> 16;
              case 'o', 'O' -> 8;
              default -> 2;
            }
            : 10;
    try {
      return Long.valueOf(marked ? digits.substring(2) : digits, radix);
    } catch (NumberFormatException e) {
      throw tokens.fault("the integer " + digits + " has more than 64 bits");
    }
  }

  private static Expression named(String name) {
    return switch (name) {
      case "true", "True" -> constant(true);
      case "false", "False" -> constant(false);
      case "none", "None" -> constant(null);
      default -> scope -> scope.get(name);
    };
  }

  private static Expression constant(Object value) {
    return scope -> value;
  }

  /** Parses string literals; adjacent ones are joined, as in Python. */
  private Expression parseString(String first) {
    StringBuilder text = new StringBuilder(first);
    while (tokens.peek().kind() == Kind.STRING) {
      text.append(tokens.next().text());
    }
    return constant(text.toString());
  }

  private Expression parseEnclosed(String opening) {
    switch (opening) {
      case "(" -> {
        if (tokens.accept(Kind.OPERATOR, ")")) {
          return scope -> new Tuple(List.of());
        }
        Expression value = expressions.parseTuple();
        tokens.expect(Kind.OPERATOR, ")");
        return value;
      }
      case "[" -> {
        List<Expression> items = parseItems("]");
        return scope -> values(items, scope);
      }
      case "{" -> {
        return parseDictionary();
      }
      default -> throw tokens.fault("found " + opening + "; expected an expression");
    }
  }

  private List<Expression> parseItems(String closing) {
    List<Expression> items = new ArrayList<>();
    while (!tokens.accept(Kind.OPERATOR, closing)) {
      items.add(expressions.parse());
      if (!tokens.peek().is(Kind.OPERATOR, closing)) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return items;
  }

  static List<Object> values(List<Expression> items, Scope scope) {
    scope.budget().makesItems(items.size());
    List<Object> values = new ArrayList<>();
    items.forEach(item -> values.add(item.value(scope)));
    return values;
  }

  private Expression parseDictionary() {
    List<Expression> keys = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!tokens.accept(Kind.OPERATOR, "}")) {
      keys.add(expressions.parse());
      tokens.expect(Kind.OPERATOR, ":");
      values.add(expressions.parse());
      if (!tokens.peek().is(Kind.OPERATOR, "}")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return scope -> {
      scope.budget().makesItems(2L * keys.size());
      Map<Object, Object> dictionary = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        Object key = Values.key(keys.get(i).value(scope), scope.budget());
        dictionary.put(key, values.get(i).value(scope));
      }
      return dictionary;
    };
  }

  private Expression parsePostfix(Expression value) {
    Expression result = value;
    while (true) {
      if (tokens.accept(Kind.OPERATOR, ".")) {
        result = parseAttribute(result);
      } else if (tokens.accept(Kind.OPERATOR, "[")) {
        result = parseSubscript(result);
      } else if (tokens.accept(Kind.OPERATOR, "(")) {
        result = parseCall(result);
      } else {
        return result;
      }
    }
  }

  private Expression parseAttribute(Expression owner) {
    if (tokens.peek().kind() == Kind.INTEGER) {
      Object index = integer(tokens.next().text());
      return Expression.counted(scope -> Values.item(owner.value(scope), index, scope.budget()));
    }
    String name = tokens.expectName();
    return Expression.counted(scope -> Values.attribute(owner.value(scope), name));
  }

  private Expression parseSubscript(Expression owner) {
    Expression[] bounds = {constant(null), constant(null), constant(null)};
    boolean slice = false;
    if (tokens.peek().is(Kind.OPERATOR, "]")) {
      throw tokens.unexpected("an index");
    }
    for (int bound = 0; !tokens.accept(Kind.OPERATOR, "]"); ) {
      if (tokens.accept(Kind.OPERATOR, ":")) {
        slice = true;
        if (++bound > 2) {
          throw tokens.unexpected("]");
        }
      } else {
        bounds[bound] = expressions.parseTuple();
        if (!tokens.peek().is(Kind.OPERATOR, ":")) {
          tokens.expect(Kind.OPERATOR, "]");
          break;
        }
      }
    }
    return slice
        ? Expression.counted(
            scope ->
                Values.slice(
                    owner.value(scope),
                    bounds[0].value(scope),
                    bounds[1].value(scope),
                    bounds[2].value(scope),
                    scope.budget()))
        : Expression.counted(
            scope -> Values.item(owner.value(scope), bounds[0].value(scope), scope.budget()));
  }

  /** Parses a call that also gets a further argument by name. */
  Expression parseCallOf(String name, Expression value) {
    Expression function = parsePrimary();
    while (tokens.accept(Kind.OPERATOR, ".")) {
      function = parseAttribute(function);
    }
    tokens.expect(Kind.OPERATOR, "(");
    CallArguments arguments = parseArguments();
    arguments.add(name, value);
    return called(function, arguments);
  }

  private Expression parseCall(Expression function) {
    return called(function, parseArguments());
  }

  private static Expression called(Expression function, CallArguments arguments) {
    return Expression.counted(
        scope -> {
          Object called = function.value(scope);
          if (called instanceof Callable callable) {
            return callable.call(arguments.evaluate(scope));
          }
          throw called instanceof Undefined undefined
              ? undefined.failure()
              : TemplateException.fault("what is called is no function");
        });
  }

  /** Parses arguments whose opening parenthesis has been read. */
  private CallArguments parseArguments() {
    CallArguments arguments = new CallArguments();
    while (!tokens.accept(Kind.OPERATOR, ")")) {
      if (tokens.accept(Kind.OPERATOR, "*")) {
        arguments.addItems(expressions.parse());
      } else if (tokens.accept(Kind.OPERATOR, "**")) {
        arguments.addEntries(expressions.parse());
      } else if (tokens.peek().kind() == Kind.NAME && tokens.peekSecond().is(Kind.OPERATOR, "=")) {
        String name = tokens.expectName();
        tokens.next();
        arguments.add(name, expressions.parse());
      } else {
        arguments.add(expressions.parse());
      }
      if (!tokens.peek().is(Kind.OPERATOR, ")")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return arguments;
  }

  /** Parses the filters of a set block, each after its bar. */
  Expression parseFilters(Expression value) {
    Expression result = value;
    while (tokens.accept(Kind.OPERATOR, "|")) {
      result = parseFilter(result);
    }
    return result;
  }

  Expression parseFiltersAndTests(Expression value) {
    Expression result = value;
    while (true) {
      if (tokens.accept(Kind.OPERATOR, "|")) {
        result = parseFilter(result);
      } else if (tokens.accept(Kind.NAME, "is")) {
        result = parseTest(result);
      } else if (tokens.accept(Kind.OPERATOR, "(")) {
        result = parseCall(result);
      } else {
        return result;
      }
    }
  }

  /**
   * Parses a filter whose bar has been read. An unknown filter is an error only when it is
   * evaluated.
   */
  Expression parseFilter(Expression value) {
    String name = tokens.expectName();
    CallArguments arguments =
        tokens.accept(Kind.OPERATOR, "(") ? parseArguments() : new CallArguments();
    return Expression.counted(
        scope -> Filters.apply(name, value.value(scope), arguments.evaluate(scope)));
  }

  private Expression parseTest(Expression value) {
    boolean negated = tokens.accept(Kind.NAME, "not");
    String name = tokens.expectName();
    CallArguments arguments = new CallArguments();
    if (tokens.accept(Kind.OPERATOR, "(")) {
      arguments = parseArguments();
    } else if (startsArgument()) {
      arguments.add(parseTerm());
    }
    CallArguments given = arguments;
    return Expression.counted(
        scope -> negated != Tests.holds(name, value.value(scope), given.evaluate(scope)));
  }

  private boolean startsArgument() {
    Token token = tokens.peek();
    return switch (token.kind()) {
      case NAME -> !NO_ARGUMENT.contains(token.text()) && !token.text().equals("not");
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.text().equals("[") || token.text().equals("{");
      case TEXT, PRINT, STATEMENT, CLOSE, END -> false;
    };
  }
}
