package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Builds the parts of a template that have values: its expressions (grammar: Jinja2's). */
final class ExpressionParser {
  /**
   * Expressions within expressions, as far as the parser's own calls go: twice what published
   * templates have, and few enough for half a thread's stack before the calls are compiled.
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

  /** What stands between operators. */
  TermParser terms() {
    return terms;
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
    return scope -> new Tuple(TermParser.values(items, scope));
  }

  private boolean startsExpression() {
    Token token = tokens.peek();
    return token.kind() != Kind.CLOSE
        && !(token.kind() == Kind.OPERATOR && Set.of(")", "]", "}", "=").contains(token.text()));
  }

  /** One expression. */
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

  /** Counts what is parsed within each other; the caller takes it back. */
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

  /** Comparisons in a row hold when each of them does, as in Python. */
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
