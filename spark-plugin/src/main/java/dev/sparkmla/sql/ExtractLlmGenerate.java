package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.expressions.NamedLambdaVariable;
import org.apache.spark.sql.catalyst.expressions.OuterReference;
import org.apache.spark.sql.catalyst.expressions.ScalarSubquery;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.Cross$;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.OneRowRelation;
import org.apache.spark.sql.catalyst.plans.logical.OverwriteByExpression;
import org.apache.spark.sql.catalyst.plans.logical.RowLevelWrite;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.types.DataTypes;
import scala.Option;

/**
 * Moves calls from the operator that contains them to an {@link LlmGeneration} below it, so that
 * each call is computed once a row, however often the operator contains it.
 */
final class ExtractLlmGenerate extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.transformUp(Catalyst.everywhere(ExtractLlmGenerate::extract));
  }

  /** Whether an operator other than {@link LlmGeneration} contains a call. */
  static boolean holdsCall(LogicalPlan node) {
    return !(node instanceof LlmGeneration)
        && Catalyst.<Expression>list(node.expressions()).stream().anyMatch(GuardedCalls::holdsCall);
  }

  private static LogicalPlan extract(LogicalPlan plan) {
    if (plan instanceof RowLevelWrite) {
      return plan.mapExpressions(ExtractLlmGenerate::withoutCalls);
    }
    if (!holdsCall(plan)) {
      return plan;
    }
    if (DeltaCommands.isCommand(plan)) {
      return DeltaCommands.extract(plan);
    }
    if (plan instanceof OverwriteByExpression overwrite) {
      throw Catalyst.error(
          overwrite.deleteExpr().sql()
              + " contains a call, and so cannot choose the rows that an INSERT replaces; DELETE"
              + " them first");
    }
    LogicalPlan node =
        (isOneRow(plan) ? plan : plan.mapExpressions(ExtractLlmGenerate::extractConstants))
            .mapExpressions(ExtractLlmGenerate::extractIntoSubqueries);
    if (!holdsCall(node)) {
      return node;
    }
    if (node instanceof Filter filter) {
      return extractFilter(filter);
    }
    if (node instanceof Aggregate aggregate) {
      return extractAggregate(aggregate);
    }
    if (node instanceof Join join) {
      return extractJoin(join);
    }
    return node.children().size() == 1 ? extractBelow(node) : node;
  }

  /**
   * Removes calls from the copy of a condition by which UPDATE, DELETE and MERGE read less of the
   * table. The copy then lets more rows through, which the query itself filters.
   */
  private static Expression withoutCalls(Expression condition) {
    if (!condition.dataType().equals(DataTypes.BooleanType)) {
      return condition;
    }
    List<Expression> cheap =
        Catalyst.conjuncts(condition).stream()
            .filter(conjunct -> !GuardedCalls.holdsCall(conjunct) && !subqueryHoldsCall(conjunct))
            .toList();
    return cheap.isEmpty() ? Literal.TrueLiteral() : Catalyst.all(cheap);
  }

  private static boolean subqueryHoldsCall(Expression expression) {
    return expression.exists(
        part ->
            part instanceof SubqueryExpression subquery
                && subquery
                    .plan()
                    .exists(node -> node instanceof LlmGeneration || holdsCall(node)));
  }

  private static boolean isOneRow(LogicalPlan plan) {
    return plan.children().size() == 1 && plan.children().apply(0) instanceof OneRowRelation;
  }

  /** Computes a call that reads no column once, in a subquery of its own. */
  private static Expression extractConstants(Expression expression) {
    Expression changed = expression.mapChildren(ExtractLlmGenerate::extractConstants);
    return changed instanceof LlmGenerate call
            && call.deterministic()
            && !call.exists(part -> part instanceof NamedLambdaVariable)
            && call.references().isEmpty()
            && !call.exists(part -> part instanceof OuterReference)
            && Catalyst.<Expression>list(call.children()).stream()
                .noneMatch(GuardedCalls::holdsCall)
        ? subquery(call)
        : changed;
  }

  private static Expression subquery(LlmGenerate call) {
    LlmGeneration node = LlmGeneration.of(call.whole(), new OneRowRelation());
    ScalarSubquery subquery =
        new ScalarSubquery(
            Catalyst.select(List.of(node.column()), node),
            Catalyst.seq(List.of()),
            NamedExpression$.MODULE$.newExprId(),
            Catalyst.seq(List.of()),
            Option.empty(),
            Option.empty(),
            Option.empty());
    return call.textOnly() ? text(subquery) : subquery;
  }

  private static Expression text(Expression result) {
    return new GetStructField(result, ResultType.TEXT_ORDINAL, Option.apply("text"));
  }

  /** Computes a call in a subquery's correlation inside the subquery, if it reads only that. */
  private static Expression extractIntoSubqueries(Expression expression) {
    Expression changed = expression.mapChildren(ExtractLlmGenerate::extractIntoSubqueries);
    if (!(changed instanceof SubqueryExpression subquery)) {
      return changed;
    }
    LogicalPlan plan = subquery.plan();
    Map<GuardedCalls.Ready, Attribute> columns = new LinkedHashMap<>();
    for (GuardedCalls.Ready ready : new GuardedCalls(correlation(subquery)).ready()) {
      LlmGenerate call = ready.call().whole();
      if (!call.references().isEmpty() && Catalyst.reads(call, plan.outputSet())) {
        LlmGeneration node = LlmGeneration.of(call, plan);
        plan = node;
        columns.put(ready, node.column());
      }
    }
    Expression replaced = subquery.mapChildren(child -> replace(child, columns));
    return ((SubqueryExpression) replaced).withNewPlan(plan);
  }

  /** The conditions that correlate a subquery with the outer query. */
  private static List<Expression> correlation(SubqueryExpression subquery) {
    List<Expression> children = Catalyst.list(subquery.children());
    return children.subList(subquery.getOuterAttrs().size(), children.size());
  }

  /** Filters by the conditions without calls before anything is generated. */
  private static LogicalPlan extractFilter(Filter filter) {
    List<Expression> cheap = new ArrayList<>();
    List<Expression> rest = new ArrayList<>();
    for (Expression condition : Catalyst.conjuncts(filter.condition())) {
      boolean first = condition.deterministic() && !GuardedCalls.holdsCall(condition);
      (first ? cheap : rest).add(condition);
    }
    LogicalPlan below =
        cheap.isEmpty() ? filter.child() : new Filter(Catalyst.all(cheap), filter.child());
    return extractBelow(new Filter(Catalyst.all(rest), below));
  }

  /** Moves calls that read groups above the aggregate, and calls that read its input below it. */
  private static LogicalPlan extractAggregate(Aggregate aggregate) {
    List<Expression> grouping = Catalyst.list(aggregate.groupingExpressions());
    List<NamedExpression> results = Catalyst.list(aggregate.aggregateExpressions());
    boolean above =
        results.stream().anyMatch(result -> holdsCallOverGroups((Expression) result, grouping));
    if (!above) {
      return extractBelow(aggregate);
    }
    Map<Expression, NamedExpression> groups = new LinkedHashMap<>();
    List<NamedExpression> columns = new ArrayList<>();
    for (NamedExpression result : results) {
      columns.add((NamedExpression) overGroups((Expression) result, grouping, groups));
    }
    LogicalPlan inner =
        new Aggregate(
            aggregate.groupingExpressions(),
            Catalyst.seq(List.copyOf(groups.values())),
            aggregate.child(),
            aggregate.hint());
    return extractBelow(Catalyst.select(columns, extract(inner)));
  }

  private static boolean isGroup(Expression expression, List<Expression> grouping) {
    return expression instanceof AggregateExpression
        || grouping.stream().anyMatch(group -> group.semanticEquals(expression));
  }

  private static boolean holdsCallOverGroups(Expression expression, List<Expression> grouping) {
    if (isGroup(expression, grouping)) {
      return false;
    }
    return expression instanceof LlmGenerate
        || Catalyst.<Expression>list(expression.children()).stream()
            .anyMatch(child -> holdsCallOverGroups(child, grouping));
  }

  /** Rewrites an expression to read the columns of an aggregate that returns {@code groups}. */
  private static Expression overGroups(
      Expression expression, List<Expression> grouping, Map<Expression, NamedExpression> groups) {
    if (isGroup(expression, grouping)) {
      return groups
          .computeIfAbsent(
              expression.canonicalized(),
              key ->
                  expression instanceof Attribute column
                      ? column
                      : Catalyst.alias(expression, "group" + groups.size()))
          .toAttribute();
    }
    return expression.mapChildren(child -> overGroups(child, grouping, groups));
  }

  /**
   * Moves a call to the side of the join that it reads. If it reads both, an inner join is filtered
   * afterwards.
   */
  private static LogicalPlan extractJoin(Join join) {
    LogicalPlan left = join.left();
    LogicalPlan right = join.right();
    List<Expression> conditions = Catalyst.conjuncts(join.condition().get());
    List<Expression> after = new ArrayList<>();
    GuardedCalls calls = new GuardedCalls(conditions);
    while (!calls.isEmpty()) {
      Map<GuardedCalls.Ready, Attribute> columns = new LinkedHashMap<>();
      for (GuardedCalls.Ready ready : calls.ready()) {
        LlmGenerate call = ready.guarded();
        if (!Catalyst.reads(call, left.outputSet()) && !Catalyst.reads(call, right.outputSet())) {
          call = ready.call().whole();
        }
        if (Catalyst.reads(call, left.outputSet())) {
          LlmGeneration node = LlmGeneration.of(call, left);
          left = node;
          columns.put(ready, node.column());
        } else if (Catalyst.reads(call, right.outputSet())) {
          LlmGeneration node = LlmGeneration.of(call, right);
          right = node;
          columns.put(ready, node.column());
        } else {
          refuseUnlessInner(join, call);
          for (Expression condition : List.copyOf(conditions)) {
            if (condition.exists(part -> part instanceof LlmGenerate other && ready.is(other))) {
              conditions.remove(condition);
              after.add(condition);
            }
          }
        }
      }
      conditions.replaceAll(condition -> replace(condition, columns));
      after.replaceAll(condition -> replace(condition, columns));
      calls = new GuardedCalls(conditions);
    }
    Option<Expression> condition =
        conditions.isEmpty() ? Option.empty() : Option.apply(Catalyst.all(conditions));
    LogicalPlan joined = new Join(left, right, join.joinType(), condition, join.hint());
    if (!after.isEmpty()) {
      joined = extractFilter(new Filter(Catalyst.all(after), joined));
    }
    return Catalyst.withOutput(Catalyst.output(join), joined);
  }

  private static void refuseUnlessInner(Join join, LlmGenerate call) {
    if (join.joinType() != Inner$.MODULE$ && join.joinType() != Cross$.MODULE$) {
      throw Catalyst.error(
          call.sql()
              + " reads both sides of a "
              + join.joinType().sql()
              + " join in its condition, which only an inner join can have");
    }
  }

  /** Moves the calls of a node below it, the innermost call lowest. */
  private static LogicalPlan extractBelow(LogicalPlan node) {
    LogicalPlan changed = node;
    GuardedCalls calls = GuardedCalls.of(changed);
    while (!calls.isEmpty()) {
      LogicalPlan below = changed.children().apply(0);
      Map<GuardedCalls.Ready, Attribute> columns = new LinkedHashMap<>();
      for (GuardedCalls.Ready ready : calls.ready()) {
        LlmGeneration generation = LlmGeneration.of(ready.guarded(), below);
        columns.put(ready, generation.column());
        below = generation;
      }
      changed =
          changed
              .mapExpressions(expression -> replace(expression, columns))
              .withNewChildren(Catalyst.seq(List.of(below)));
      calls = GuardedCalls.of(changed);
    }
    return Catalyst.withOutput(Catalyst.output(node), changed);
  }

  private static Expression replace(
      Expression expression, Map<GuardedCalls.Ready, Attribute> columns) {
    UnaryOperator<Expression> deeper = part -> part.mapChildren(child -> replace(child, columns));
    if (expression instanceof LlmGenerate call) {
      Optional<Attribute> column =
          columns.entrySet().stream()
              .filter(entry -> entry.getKey().is(call))
              .map(Map.Entry::getValue)
              .findFirst();
      if (column.isEmpty()) {
        return deeper.apply(call);
      }
      return call.textOnly() ? text(column.get()) : column.get();
    }
    Expression changed = deeper.apply(expression);
    return changed instanceof SubqueryExpression subquery ? reading(subquery, columns) : changed;
  }

  /** Updates which outer columns the correlation of a subquery reads. */
  private static Expression reading(
      SubqueryExpression subquery, Map<GuardedCalls.Ready, Attribute> columns) {
    List<Expression> outer = Catalyst.list(subquery.getOuterAttrs());
    for (Attribute column : columns.values()) {
      if (correlation(subquery).stream()
          .anyMatch(condition -> condition.references().contains(column))) {
        outer.add(column);
      }
    }
    return subquery.withNewOuterAttrs(Catalyst.seq(outer));
  }
}
