package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;

/**
 * Moves operators that reduce the number of rows below an {@link LlmGeneration}, and drops
 * generations whose results are not used.
 *
 * <p>Filters on the child's columns, limits and sorts move below a generation. A column that is not
 * read is not generated, and the result of an equal call further down is reused.
 */
final class ArrangeLlmGenerate extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.exists(node -> node instanceof LlmGeneration)
        ? plan.transformDown(Catalyst.everywhere(ArrangeLlmGenerate::arrange))
        : plan;
  }

  private static LogicalPlan arrange(LogicalPlan node) {
    if (node instanceof Project || node instanceof Aggregate) {
      return overChild(node, child -> withoutUnused(child, node.references()));
    }
    if (node instanceof Filter filter && filter.child() instanceof LlmGeneration generation) {
      return filterBelow(filter, generation);
    }
    if (node instanceof Sort sort && sort.global()) {
      return sortBelow(sort).orElse(sort);
    }
    if (node instanceof GlobalLimit limit && limit.child() instanceof LocalLimit local) {
      return limitSorted(limit, local).orElse(limit);
    }
    if (node instanceof LocalLimit limit) {
      return overChild(limit, child -> limitBelow(child, limit.limitExpr()));
    }
    if (node instanceof LlmGeneration generation) {
      return shared(generation).orElse(generation);
    }
    return node;
  }

  private static LogicalPlan overChild(
      LogicalPlan node, Function<LogicalPlan, LogicalPlan> change) {
    LogicalPlan child = node.children().apply(0);
    LogicalPlan changed = change.apply(child);
    return changed == child ? node : node.withNewChildren(Catalyst.seq(List.of(changed)));
  }

  /** Drops generated columns that nothing reads, also below filters, sorts and limits. */
  private static LogicalPlan withoutUnused(LogicalPlan plan, AttributeSet read) {
    if (plan instanceof LlmGeneration generation) {
      return read.contains(generation.column())
          ? overChild(
              generation, child -> withoutUnused(child, read.$plus$plus(generation.references())))
          : withoutUnused(generation.child(), read);
    }
    if (plan instanceof Filter
        || plan instanceof Sort
        || plan instanceof GlobalLimit
        || plan instanceof LocalLimit) {
      return overChild(plan, child -> withoutUnused(child, read.$plus$plus(plan.references())));
    }
    return plan;
  }

  private static LogicalPlan filterBelow(Filter filter, LlmGeneration generation) {
    if (!generation.call().deterministic()) {
      return filter;
    }
    List<Expression> below = new ArrayList<>();
    List<Expression> above = new ArrayList<>();
    for (Expression condition : Catalyst.conjuncts(filter.condition())) {
      boolean first =
          condition.deterministic() && !condition.references().contains(generation.column());
      (first ? below : above).add(condition);
    }
    if (below.isEmpty()) {
      return filter;
    }
    LogicalPlan lower = generation.over(new Filter(Catalyst.all(below), generation.child()));
    return above.isEmpty() ? lower : new Filter(Catalyst.all(above), lower);
  }

  /** Moves a sort below a generation whose result it does not use, so that a limit can follow. */
  private static Optional<LogicalPlan> sortBelow(Sort sort) {
    LogicalPlan child = sort.child();
    if (child instanceof LlmGeneration generation) {
      return sort.references().contains(generation.column())
          ? Optional.empty()
          : Optional.of(
              generation.over(new Sort(sort.order(), true, generation.child(), sort.hint())));
    }
    if (child instanceof Project project
        && leadsToGeneration(project)
        && Catalyst.<NamedExpression>list(project.projectList()).stream()
            .allMatch(column -> ((Expression) column).deterministic())) {
      List<SortOrder> order =
          Catalyst.<SortOrder>list(sort.order()).stream()
              .map(key -> (SortOrder) below(key, project))
              .toList();
      Sort lower = new Sort(Catalyst.seq(order), true, project.child(), sort.hint());
      return sortBelow(lower).map(moved -> project.withNewChildren(Catalyst.seq(List.of(moved))));
    }
    return Optional.empty();
  }

  /** Chooses the first rows of a sort before they are generated. */
  private static Optional<LogicalPlan> limitSorted(GlobalLimit limit, LocalLimit local) {
    LogicalPlan child = local.child();
    if ((child instanceof Project || child instanceof LlmGeneration) && leadsToSort(child)) {
      LogicalPlan below = child.children().apply(0);
      LogicalPlan lower =
          new GlobalLimit(limit.limitExpr(), new LocalLimit(local.limitExpr(), below));
      LogicalPlan moved = below instanceof Sort ? lower : arrange(lower);
      return Optional.of(child.withNewChildren(Catalyst.seq(List.of(moved))));
    }
    return Optional.empty();
  }

  private static boolean leadsToSort(LogicalPlan plan) {
    if (plan instanceof LlmGeneration generation) {
      return generation.child() instanceof Sort || leadsToSort(generation.child());
    }
    return plan instanceof Project project
        && leadsToGeneration(project)
        && leadsToSort(project.child());
  }

  /** Limits the rows of each partition before they are generated. */
  private static LogicalPlan limitBelow(LogicalPlan plan, Expression limit) {
    if (plan instanceof LlmGeneration generation) {
      if (leadsToGeneration(generation.child())) {
        return overChild(generation, child -> limitBelow(child, limit));
      }
      return isWithin(generation.child(), limit)
          ? generation
          : generation.over(new LocalLimit(limit, generation.child()));
    }
    return plan instanceof Project && leadsToGeneration(plan)
        ? overChild(plan, child -> limitBelow(child, limit))
        : plan;
  }

  private static boolean isWithin(LogicalPlan plan, Expression limit) {
    return plan.maxRowsPerPartition().isDefined()
        && limit instanceof Literal literal
        && ((Number) plan.maxRowsPerPartition().get()).longValue()
            <= ((Number) literal.value()).longValue();
  }

  private static boolean leadsToGeneration(LogicalPlan plan) {
    return plan instanceof LlmGeneration
        || (plan instanceof Project project && leadsToGeneration(project.child()));
  }

  /** Finds the result of an equal call further down, on the same rows. */
  private static Optional<LogicalPlan> shared(LlmGeneration generation) {
    if (!generation.call().deterministic()) {
      return Optional.empty();
    }
    return find(generation.child(), generation.call())
        .map(
            found -> {
              List<NamedExpression> columns = new ArrayList<>(Catalyst.output(generation.child()));
              columns.add(
                  Catalyst.alias(
                      found.column(), generation.column().name(), generation.column().exprId()));
              return Catalyst.select(columns, found.plan());
            });
  }

  /**
   * A call's result.
   *
   * @param plan the plan that was searched, which now passes the column up
   * @param column the column of the result
   */
  private record Found(LogicalPlan plan, Attribute column) {}

  private static Optional<Found> find(LogicalPlan plan, LlmGenerate call) {
    if (plan instanceof LlmGeneration generation) {
      if (generation.call().semanticEquals(call)) {
        return Optional.of(new Found(plan, generation.column()));
      }
      return call.references().contains(generation.column())
          ? Optional.empty()
          : findBelow(plan, call);
    }
    if (plan instanceof Project project) {
      return find(project.child(), (LlmGenerate) below(call, project))
          .map(found -> new Found(passing(project, found), found.column()));
    }
    return plan instanceof Filter
            || plan instanceof Sort
            || plan instanceof GlobalLimit
            || plan instanceof LocalLimit
        ? findBelow(plan, call)
        : Optional.empty();
  }

  private static Optional<Found> findBelow(LogicalPlan plan, LlmGenerate call) {
    return find(plan.children().apply(0), call)
        .map(
            found ->
                new Found(
                    plan.withNewChildren(Catalyst.seq(List.of(found.plan()))), found.column()));
  }

  private static LogicalPlan passing(Project project, Found found) {
    List<NamedExpression> columns = Catalyst.list(project.projectList());
    if (columns.stream().noneMatch(column -> column.exprId().equals(found.column().exprId()))) {
      columns.add(found.column());
    }
    return Catalyst.select(columns, found.plan());
  }

  /** {@code expression} over the columns below a projection. */
  private static Expression below(Expression expression, Project project) {
    Map<ExprId, Expression> sources =
        Catalyst.<NamedExpression>list(project.projectList()).stream()
            .filter(column -> column instanceof Alias)
            .collect(Collectors.toMap(NamedExpression::exprId, column -> ((Alias) column).child()));
    return expression.transformUp(
        Catalyst.everywhere(
            part ->
                part instanceof Attribute column
                    ? sources.getOrDefault(column.exprId(), column)
                    : part));
  }
}
