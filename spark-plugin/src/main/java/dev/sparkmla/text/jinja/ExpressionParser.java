package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BinaryOperator;

/** Builds the parts of a template that have values: its expressions (grammar: Jinja2's). */
final class ExpressionParser {
  /** The variable that holds the text of a block that filters are applied to. */
  static final String BODY = " body";

  /** Expressions within expressions; more is no template but an attack on the stack. */
  private static final int DEEPEST = 200;

  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", ">", "<=", ">=");
  private static final Set<String> NO_ARGUMENT = Set.of("else", "or", "and", "is", "if", "in");

  private final Tokens tokens;
  private int depth;

  ExpressionParser(Tokens tokens) {
    this.tokens = tokens;
  }

  /** An expression, or several with commas between them, which are a tuple. */
  Expression parseTuple() {
    return parseTuple(true);
  }

  /** The same without conditions, as a for statement has it: the if after it is the loop's. */
  Expression parseTupleWithoutCondition() {
    return parseTuple(false);
  }

  private Expression parseTuple(boolean conditions) {
    Expression first = conditions ? parse() : parseOr();
    if (!tokens.peek().is(Kind.OPERATOR, ",")) {
      return first;
    }
    List<Expression> items = new ArrayList<>(List.of(first));
    while (tokens.accept(Kind.OPERATOR, ",") && startsExpression()) {
      items.add(conditions ? parse() : parseOr());
    }
    return list(items);
  }

  private boolean startsExpression() {
    Token token = tokens.peek();
    return token.kind() != Kind.CLOSE
        && !(token.kind() == Kind.OPERATOR && Set.of(")", "]", "}", "=").contains(token.text()));
  }

  /** One expression. */
  Expression parse() {
    if (++depth > DEEPEST) {
      throw tokens.fault("expressions lie deeper than " + DEEPEST);
    }
    Expression value = parseOr();
    while (tokens.accept(Kind.NAME, "if")) {
      Expression chosen = value;
      Expression condition = parseOr();
      Expression otherwise =
          tokens.accept(Kind.NAME, "else") ? parse() : scope -> new Undefined("else");
      value =
          scope ->
              Values.truth(condition.value(scope)) ? chosen.value(scope) : otherwise.value(scope);
    }
    depth--;
    return value;
  }

  private Expression parseOr() {
    Expression left = parseAnd();
    while (tokens.accept(Kind.NAME, "or")) {
      Expression first = left;
      Expression second = parseAnd();
      left =
          scope -> {
            Object value = first.value(scope);
            return Values.truth(value) ? value : second.value(scope);
          };
    }
    return left;
  }

  private Expression parseAnd() {
    Expression left = parseNot();
    while (tokens.accept(Kind.NAME, "and")) {
      Expression first = left;
      Expression second = parseNot();
      left =
          scope -> {
            Object value = first.value(scope);
            return Values.truth(value) ? second.value(scope) : value;
          };
    }
    return left;
  }

  private Expression parseNot() {
    if (tokens.accept(Kind.NAME, "not")) {
      Expression negated = parseNot();
      return scope -> !Values.truth(negated.value(scope));
    }
    return parseComparison();
  }

  /** Comparisons in a row hold when each of them does, as in Python. */
  private Expression parseComparison() {
    Expression left = parseSum();
    Expression all = null;
    while (true) {
      String operator = comparison();
      if (operator == null) {
        return all == null ? left : all;
      }
      Expression first = left;
      Expression second = parseSum();
      Expression one = scope -> Values.compare(operator, first.value(scope), second.value(scope));
      Expression before = all;
      all =
          before == null
              ? one
              : scope -> Values.truth(before.value(scope)) && Values.truth(one.value(scope));
      left = second;
    }
  }

  private String comparison() {
    Token token = tokens.peek();
    if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
      return tokens.next().text();
    }
    if (tokens.accept(Kind.NAME, "in")) {
      return "in";
    }
    if (token.is(Kind.NAME, "not") && tokens.peekSecond().is(Kind.NAME, "in")) {
      tokens.next();
      tokens.next();
      return "not in";
    }
    return null;
  }

  private Expression parseSum() {
    Expression left = parseConcatenation();
    while (true) {
      if (tokens.accept(Kind.OPERATOR, "+")) {
        left = binary(left, parseConcatenation(), Values::add);
      } else if (tokens.accept(Kind.OPERATOR, "-")) {
        left = binary(left, parseConcatenation(), Values::subtract);
      } else {
        return left;
      }
    }
  }

  private Expression parseConcatenation() {
    Expression left = parseProduct();
    while (tokens.accept(Kind.OPERATOR, "~")) {
      left = binary(left, parseProduct(), (a, b) -> Values.text(a) + Values.text(b));
    }
    return left;
  }

  private Expression parseProduct() {
    Expression left = parseUnary(true);
    while (true) {
      if (tokens.accept(Kind.OPERATOR, "*")) {
        left = binary(left, parseUnary(true), Values::multiply);
      } else if (tokens.accept(Kind.OPERATOR, "/")) {
        left = binary(left, parseUnary(true), Values::divide);
      } else if (tokens.accept(Kind.OPERATOR, "//")) {
        left = binary(left, parseUnary(true), Values::floorDivide);
      } else if (tokens.accept(Kind.OPERATOR, "%")) {
        left = binary(left, parseUnary(true), Values::modulo);
      } else {
        return left;
      }
    }
  }

  private static Expression binary(
      Expression left, Expression right, BinaryOperator<Object> operator) {
    return scope -> operator.apply(left.value(scope), right.value(scope));
  }

  private Expression parseUnary(boolean filters) {
    if (tokens.accept(Kind.OPERATOR, "-")) {
      Expression negated = parseUnary(false);
      Expression value = scope -> Values.subtract(0L, negated.value(scope));
      return filters ? parseFiltersAndTests(value) : value;
    }
    if (tokens.accept(Kind.OPERATOR, "+")) {
      return parseUnary(filters);
    }
    Expression value = parsePostfix(parsePrimary());
    return filters ? parseFiltersAndTests(value) : value;
  }

  private Expression parsePrimary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> named(token.text());
      case STRING -> parseString(token.text());
      case INTEGER -> constant(Values.integer(token.text()));
      case FLOAT -> constant(Double.valueOf(token.text()));
      case OPERATOR -> parseEnclosed(token.text());
      default -> throw tokens.fault("found " + token.text() + "; expected an expression");
    };
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

  /** Strings beside each other are one. */
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
          return list(List.of());
        }
        Expression value = parseTuple();
        tokens.expect(Kind.OPERATOR, ")");
        return value;
      }
      case "[" -> {
        return list(parseItems("]"));
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
      items.add(parse());
      if (!tokens.peek().is(Kind.OPERATOR, closing)) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return items;
  }

  private static Expression list(List<Expression> items) {
    return scope -> {
      List<Object> values = new ArrayList<>();
      items.forEach(item -> values.add(item.value(scope)));
      return values;
    };
  }

  private Expression parseDictionary() {
    List<Expression> keys = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!tokens.accept(Kind.OPERATOR, "}")) {
      keys.add(parse());
      tokens.expect(Kind.OPERATOR, ":");
      values.add(parse());
      if (!tokens.peek().is(Kind.OPERATOR, "}")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return scope -> {
      Map<Object, Object> dictionary = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        dictionary.put(keys.get(i).value(scope), values.get(i).value(scope));
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
      Object index = Values.integer(tokens.next().text());
      return scope -> Values.item(owner.value(scope), index);
    }
    String name = tokens.expectName();
    return scope -> Values.attribute(owner.value(scope), name);
  }

  private Expression parseSubscript(Expression owner) {
    Expression[] bounds = {constant(null), constant(null), constant(null)};
    boolean slice = false;
    for (int bound = 0; !tokens.accept(Kind.OPERATOR, "]"); ) {
      if (tokens.accept(Kind.OPERATOR, ":")) {
        slice = true;
        if (++bound > 2) {
          throw tokens.unexpected("]");
        }
      } else {
        bounds[bound] = parseTuple();
        if (!tokens.peek().is(Kind.OPERATOR, ":")) {
          tokens.expect(Kind.OPERATOR, "]");
          break;
        }
      }
    }
    return slice
        ? scope ->
            Values.slice(
                owner.value(scope),
                bounds[0].value(scope),
                bounds[1].value(scope),
                bounds[2].value(scope))
        : scope -> Values.item(owner.value(scope), bounds[0].value(scope));
  }

  private Expression parseCall(Expression function) {
    Arguments arguments = parseArguments();
    return scope -> {
      Object called = function.value(scope);
      if (called instanceof Callable callable) {
        return callable.call(arguments.positional(scope), arguments.named(scope));
      }
      throw called instanceof Undefined undefined
          ? undefined.failure()
          : TemplateException.fault(Values.text(called) + " is no function");
    };
  }

  /** Arguments of a call, without the values they will have. */
  private record Arguments(List<Expression> positions, Map<String, Expression> names) {
    List<Object> positional(Scope scope) {
      List<Object> values = new ArrayList<>();
      positions.forEach(position -> values.add(position.value(scope)));
      return values;
    }

    Map<String, Object> named(Scope scope) {
      Map<String, Object> values = new LinkedHashMap<>();
      names.forEach((name, value) -> values.put(name, value.value(scope)));
      return values;
    }
  }

  /** Parses arguments whose opening parenthesis is read. */
  private Arguments parseArguments() {
    Arguments arguments = new Arguments(new ArrayList<>(), new LinkedHashMap<>());
    while (!tokens.accept(Kind.OPERATOR, ")")) {
      if (tokens.peek().kind() == Kind.NAME && tokens.peekSecond().is(Kind.OPERATOR, "=")) {
        String name = tokens.expectName();
        tokens.next();
        arguments.names().put(name, parse());
      } else {
        arguments.positions().add(parse());
      }
      if (!tokens.peek().is(Kind.OPERATOR, ")")) {
        tokens.expect(Kind.OPERATOR, ",");
      }
    }
    return arguments;
  }

  /** The filters of a set block, each after its bar. */
  Expression parseFilters(Expression value) {
    Expression result = value;
    while (tokens.accept(Kind.OPERATOR, "|")) {
      result = parseFilter(result);
    }
    return result;
  }

  private Expression parseFiltersAndTests(Expression value) {
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

  /** A filter whose bar is read. */
  Expression parseFilter(Expression value) {
    String name = tokens.expectName();
    Filters.Filter filter = Filters.ALL.get(name);
    if (filter == null) {
      throw tokens.fault("there is no filter " + name);
    }
    Arguments arguments =
        tokens.accept(Kind.OPERATOR, "(") ? parseArguments() : new Arguments(List.of(), Map.of());
    return scope ->
        filter.apply(value.value(scope), arguments.positional(scope), arguments.named(scope));
  }

  private Expression parseTest(Expression value) {
    boolean negated = tokens.accept(Kind.NAME, "not");
    String name = tokens.expectName();
    Tests.Test test = Tests.ALL.get(name);
    if (test == null) {
      throw tokens.fault("there is no test " + name);
    }
    Arguments arguments = new Arguments(List.of(), Map.of());
    if (tokens.accept(Kind.OPERATOR, "(")) {
      arguments = parseArguments();
    } else if (startsArgument()) {
      arguments = new Arguments(List.of(parsePostfix(parsePrimary())), Map.of());
    }
    Arguments given = arguments;
    return scope -> negated != test.holds(value.value(scope), given.positional(scope));
  }

  private boolean startsArgument() {
    Token token = tokens.peek();
    return switch (token.kind()) {
      case NAME -> !NO_ARGUMENT.contains(token.text()) && !token.text().equals("not");
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.text().equals("[") || token.text().equals("{");
      default -> false;
    };
  }
}
