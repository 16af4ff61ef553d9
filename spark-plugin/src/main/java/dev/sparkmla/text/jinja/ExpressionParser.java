package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Parses the expressions of a template (the grammar is Jinja2's). Not thread-safe. */
final class ExpressionParser {
  /**
   * How deep expressions may be nested, since the parser is recursive: twice as deep as in
   * published templates, and shallow enough that the parser uses half a thread's stack even while
   * it is interpreted.
   */
  private static final int DEEPEST = 64;

  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", ">", "<=", ">=");

  private final Tokens tokens;
  private final TermParser terms;
  private int depth;

  ExpressionParser(Tokens tokens) {
    this.tokens = tokens;
    this.terms = new TermParser(tokens, this);
  }

  /** The parser of the terms between operators. */
  TermParser terms() {
    return terms;
  }

  /** Parses an expression, or a tuple: several expressions with commas between them. */
  Expression parseTuple() {
    return parseTuple(true);
  }

  /**
   * Parses the same without conditional expressions, for a for statement, in which a following
   * {@code if} belongs to the loop.
   */
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
    return scope -> new Tuple(TermParser.values(items, scope));
  }

  private boolean startsExpression() {
    Token token = tokens.peek();
    return token.kind() != Kind.CLOSE
        && !(token.kind() == Kind.OPERATOR && Set.of(")", "]", "}", "=").contains(token.text()));
  }

  /** Parses one expression. */
  Expression parse() {
    enter();
    Expression value = parseOr();
    while (tokens.accept(Kind.NAME, "if")) {
      Expression chosen = value;
      Expression condition = parseOr();
      Expression otherwise =
          tokens.accept(Kind.NAME, "else") ? parse() : scope -> new Undefined("else");
      value =
          Expression.counted(
              scope ->
                  Values.truth(condition.value(scope))
                      ? chosen.value(scope)
                      : otherwise.value(scope));
    }
    depth--;
    return value;
  }

  /** Counts a level of nesting; the caller takes it back. */
  private void enter() {
    if (++depth > DEEPEST) {
      throw tokens.fault("expressions lie deeper than " + DEEPEST + " levels");
    }
  }

  private Expression parseOr() {
    Expression left = parseAnd();
    while (tokens.accept(Kind.NAME, "or")) {
      Expression first = left;
      Expression second = parseAnd();
      left =
          Expression.counted(
              scope -> {
                Object value = first.value(scope);
                return Values.truth(value) ? value : second.value(scope);
              });
    }
    return left;
  }

  private Expression parseAnd() {
    Expression left = parseNot();
    while (tokens.accept(Kind.NAME, "and")) {
      Expression first = left;
      Expression second = parseNot();
      left =
          Expression.counted(
              scope -> {
                Object value = first.value(scope);
                return Values.truth(value) ? second.value(scope) : value;
              });
    }
    return left;
  }

  private Expression parseNot() {
    if (!tokens.accept(Kind.NAME, "not")) {
      return parseComparison();
    }
    enter();
    Expression negated = parseNot();
    depth--;
    return Expression.counted(scope -> !Values.truth(negated.value(scope)));
  }

  /** Parses comparisons. Chained ones hold when each of them does, as in Python. */
  private Expression parseComparison() {
    Expression left = parseSum();
    Expression all = null;
    while (true) {
      String operator = comparison();
      if (operator == null) {
        return all == null ? left : all;
      }
      Expression second = parseSum();
      Expression one =
          binary(left, second, (a, b, budget) -> Operators.compare(operator, a, b, budget));
      Expression before = all;
      all =
          before == null
              ? one
              : Expression.counted(
                  scope -> Values.truth(before.value(scope)) && Values.truth(one.value(scope)));
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
        left = binary(left, parseConcatenation(), Operators::add);
      } else if (tokens.accept(Kind.OPERATOR, "-")) {
        left = binary(left, parseConcatenation(), Operators::subtract);
      } else {
        return left;
      }
    }
  }

  private Expression parseConcatenation() {
    Expression left = parseProduct();
    while (tokens.accept(Kind.OPERATOR, "~")) {
      left = binary(left, parseProduct(), Operators::concatenate);
    }
    return left;
  }

  private Expression parseProduct() {
    Expression left = parsePower();
    while (true) {
      if (tokens.accept(Kind.OPERATOR, "*")) {
        left = binary(left, parsePower(), Operators::multiply);
      } else if (tokens.accept(Kind.OPERATOR, "/")) {
        left = binary(left, parsePower(), Operators::divide);
      } else if (tokens.accept(Kind.OPERATOR, "//")) {
        left = binary(left, parsePower(), Operators::floorDivide);
      } else if (tokens.accept(Kind.OPERATOR, "%")) {
        left = binary(left, parsePower(), Operators::modulo);
      } else {
        return left;
      }
    }
  }

  private Expression parsePower() {
    Expression left = parseUnary(true);
    while (tokens.accept(Kind.OPERATOR, "**")) {
      left = binary(left, parseUnary(true), Operators::power);
    }
    return left;
  }

  private static Expression binary(Expression left, Expression right, Operators.Binary operator) {
    return Expression.counted(
        scope -> operator.apply(left.value(scope), right.value(scope), scope.budget()));
  }

  private Expression parseUnary(boolean filters) {
    Expression value;
    if (tokens.accept(Kind.OPERATOR, "-")) {
      Expression negated = parseSigned();
      value = Expression.counted(scope -> Operators.negate(negated.value(scope), scope.budget()));
    } else if (tokens.accept(Kind.OPERATOR, "+")) {
      value = parseSigned();
    } else {
      value = terms.parseTerm();
    }
    return filters ? terms.parseFiltersAndTests(value) : value;
  }

  private Expression parseSigned() {
    enter();
    Expression value = parseUnary(false);
    depth--;
    return value;
  }
}
