package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.CaseWhen;
import org.apache.spark.sql.catalyst.expressions.Coalesce;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedLambdaVariable;
import org.apache.spark.sql.catalyst.expressions.Not;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.MergeRows;
import scala.Tuple2;
import scala.collection.immutable.Seq;

/**
 * The distinct calls of an operator's expressions, each with the condition under which a row needs
 * its result. The condition follows from where the call is: in a branch of IF, CASE or COALESCE, on
 * the right side of AND or OR, in an aggregate's FILTER, or in a clause of MERGE.
 *
 * <p>Where its condition is not met, a call gets NULL as its prompt, for which nothing is
 * generated; the result is not used.
 */
final class GuardedCalls {
  private final List<Entry> entries = new ArrayList<>();

  private static final class Entry {
    final LlmGenerate call;
    boolean always;
    final List<Expression> guards = new ArrayList<>();

    Entry(LlmGenerate call) {
      this.call = call;
    }

    boolean guardsHoldCalls() {
      return !always && guards.stream().anyMatch(GuardedCalls::holdsCall);
    }
  }

  /** Finds the calls of {@code expressions}. */
  GuardedCalls(List<Expression> expressions) {
    expressions.forEach(expression -> collect(expression, List.of()));
  }

  /** Finds the calls of an operator. */
  static GuardedCalls of(LogicalPlan node) {
    if (node instanceof MergeRows merge) {
      GuardedCalls calls = new GuardedCalls(List.of());
      calls.collectMerge(merge);
      return calls;
    }
    return new GuardedCalls(Catalyst.list(node.expressions()));
  }

  /**
   * Visits the clauses of MERGE: a row takes the first clause of its kind whose condition it meets.
   */
  private void collectMerge(MergeRows merge) {
    Expression source = isTrue(merge.isSourceRowPresent());
    Expression target = isTrue(merge.isTargetRowPresent());
    collectClauses(merge.matchedInstructions(), List.of(source, target));
    collectClauses(merge.notMatchedInstructions(), List.of(source, new Not(target)));
    collectClauses(merge.notMatchedBySourceInstructions(), List.of(new Not(source), target));
  }

  private void collectClauses(Seq<MergeRows.Instruction> clauses, List<Expression> guards) {
    List<Expression> reached = guards;
    for (MergeRows.Instruction clause : Catalyst.<MergeRows.Instruction>list(clauses)) {
      collect(clause.condition(), reached);
      List<Expression> taken = with(reached, isTrue(clause.condition()));
      for (Seq<Expression> row : Catalyst.<Seq<Expression>>list(clause.outputs())) {
        Catalyst.<Expression>list(row).forEach(value -> collect(value, taken));
      }
      reached = with(reached, new Not(isTrue(clause.condition())));
    }
  }

  /** Whether an expression contains a call. */
  static boolean holdsCall(Expression expression) {
    return expression.exists(part -> part instanceof LlmGenerate);
  }

  boolean isEmpty() {
    return entries.isEmpty();
  }

  /**
   * The calls that can be computed next, each with its guard: those whose arguments and guards
   * contain no other call, in the order of appearance. If every guard contains another call, one
   * call goes first, for all rows. Empty only if this has no calls.
   */
  List<Ready> ready() {
    List<Entry> innermost =
        entries.stream()
            .filter(
                entry ->
                    Catalyst.list(entry.call.children()).stream()
                        .noneMatch(GuardedCalls::holdsCall))
            .toList();
    List<Ready> ready =
        innermost.stream()
            .filter(entry -> !entry.guardsHoldCalls())
            .map(entry -> new Ready(entry.call, guard(entry)))
            .toList();
    if (ready.isEmpty() && !innermost.isEmpty()) {
      // Each waits for another's condition: one has to go first, for all rows.
      return List.of(new Ready(innermost.get(0).call, Optional.empty()));
    }
    return ready;
  }

  /**
   * A call that can be computed.
   *
   * @param call the call as the expressions contain it
   * @param guard the condition of rows that need it; empty for all rows
   */
  record Ready(LlmGenerate call, Optional<Expression> guard) {
    /** Whether another call is the same as this. */
    boolean is(LlmGenerate other) {
      return same(call, other);
    }

    /**
     * The call that returns the whole result, with arguments that are NULL where the guard does not
     * hold.
     */
    LlmGenerate guarded() {
      return guard
          .map(condition -> call.withArguments(argument -> only(condition, argument)))
          .orElse(call)
          .whole();
    }

    private static Expression only(Expression condition, Expression argument) {
      return argument instanceof Literal literal && literal.value() == null
          ? argument
          : new If(condition, argument, Literal$.MODULE$.create(null, argument.dataType()));
    }
  }

  private static boolean same(LlmGenerate one, LlmGenerate other) {
    return one == other || one.whole().semanticEquals(other.whole());
  }

  private static Optional<Expression> guard(Entry entry) {
    return entry.always ? Optional.empty() : entry.guards.stream().reduce(Or::new);
  }

  private void collect(Expression expression, List<Expression> guards) {
    if (!holdsCall(expression)) {
      return;
    }
    if (expression instanceof LlmGenerate call) {
      refuseInLambda(call);
      add(call, guards);
      Catalyst.list(call.children()).forEach(argument -> collect(argument, guards));
    } else if (expression instanceof If branch) {
      collect(branch.predicate(), guards);
      collect(branch.trueValue(), with(guards, isTrue(branch.predicate())));
      collect(branch.falseValue(), with(guards, new Not(isTrue(branch.predicate()))));
    } else if (expression instanceof CaseWhen cases) {
      List<Expression> reached = guards;
      for (Tuple2<Expression, Expression> branch :
          Catalyst.<Tuple2<Expression, Expression>>list(cases.branches())) {
        collect(branch._1(), reached);
        collect(branch._2(), with(reached, isTrue(branch._1())));
        reached = with(reached, new Not(isTrue(branch._1())));
      }
      if (cases.elseValue().isDefined()) {
        collect(cases.elseValue().get(), reached);
      }
    } else if (expression instanceof Coalesce coalesce) {
      List<Expression> reached = guards;
      for (Expression value : Catalyst.<Expression>list(coalesce.children())) {
        collect(value, reached);
        reached = with(reached, new IsNull(value));
      }
    } else if (expression instanceof And and) {
      collect(and.left(), guards);
      collect(
          and.right(),
          with(guards, new Not(new EqualNullSafe(and.left(), Literal.FalseLiteral()))));
    } else if (expression instanceof Or or) {
      collect(or.left(), guards);
      collect(or.right(), with(guards, new Not(isTrue(or.left()))));
    } else if (expression instanceof AggregateExpression aggregate
        && aggregate.filter().isDefined()) {
      collect(aggregate.filter().get(), guards);
      collect(aggregate.aggregateFunction(), with(guards, isTrue(aggregate.filter().get())));
    } else if (expression instanceof SubqueryExpression subquery) {
      Catalyst.<Expression>list(subquery.children()).stream()
          .filter(child -> !readsSubquery(child, subquery))
          .forEach(child -> collect(child, guards));
    } else {
      Catalyst.<Expression>list(expression.children()).forEach(child -> collect(child, guards));
    }
  }

  /** Whether a call in a subquery's correlation reads the subquery's own columns. */
  private static boolean readsSubquery(Expression correlation, SubqueryExpression subquery) {
    return correlation.exists(
        part ->
            part instanceof LlmGenerate call
                && Catalyst.<Attribute>list(call.references()).stream()
                    .anyMatch(column -> subquery.plan().outputSet().contains(column)));
  }

  private static void refuseInLambda(LlmGenerate call) {
    if (readsOuterVariable(call, Set.of())) {
      throw Catalyst.error(
          call.sql() + " reads a variable of a lambda function; explode the array first");
    }
  }

  /** Whether an expression reads a lambda variable that is bound outside of it. */
  private static boolean readsOuterVariable(Expression expression, Set<ExprId> bound) {
    if (expression instanceof NamedLambdaVariable variable) {
      return !bound.contains(variable.exprId());
    }
    Set<ExprId> inside = new HashSet<>(bound);
    if (expression instanceof LambdaFunction lambda) {
      Catalyst.<NamedExpression>list(lambda.arguments())
          .forEach(argument -> inside.add(argument.exprId()));
    }
    return Catalyst.<Expression>list(expression.children()).stream()
        .anyMatch(child -> readsOuterVariable(child, inside));
  }

  private static Expression isTrue(Expression condition) {
    return new EqualNullSafe(condition, Literal.TrueLiteral());
  }

  /**
   * The guards with one more, unless that is not deterministic: such a condition cannot be
   * evaluated beforehand.
   */
  private static List<Expression> with(List<Expression> guards, Expression guard) {
    if (!guard.deterministic()) {
      return guards;
    }
    List<Expression> all = new ArrayList<>(guards);
    all.add(guard);
    return all;
  }

  private void add(LlmGenerate call, List<Expression> guards) {
    Entry entry = entries.stream().filter(known -> same(known.call, call)).findFirst().orElse(null);
    if (entry == null) {
      entry = new Entry(call);
      entries.add(entry);
    }
    if (guards.isEmpty()) {
      entry.always = true;
    } else {
      entry.guards.add(Catalyst.all(guards));
    }
  }
}
