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
 * it: that of the branches of IF, CASE and COALESCE, of the short cuts of AND and OR, of an
 * aggregate's FILTER and of the clauses of MERGE, in which it stands.
 *
 * <p>A call whose condition is not met gets NULL for a prompt, and NULL is not generated; the
 * result is not looked at.
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

  /** The clauses of MERGE: a row takes the first of its kind whose condition it meets. */
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

  /** Whether there is a call in {@code expression}. */
  static boolean holdsCall(Expression expression) {
    return expression.exists(part -> part instanceof LlmGenerate);
  }

  boolean isEmpty() {
    return entries.isEmpty();
  }

  /**
   * The calls that can be computed next, because neither their arguments nor their conditions wait
   * for another: those of the first kind guarded, in order of appearance. Not empty when this is
   * not.
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
   * @param call as it stands in the expressions
   * @param guard the rows that need it; empty for all
   */
  record Ready(LlmGenerate call, Optional<Expression> guard) {
    /** Whether {@code other} is this call. */
    boolean is(LlmGenerate other) {
      return same(call, other);
    }

    /** The call for its whole result, with its condition worked into its arguments. */
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

  /** A condition that does not give the same answer twice cannot be asked beforehand. */
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
