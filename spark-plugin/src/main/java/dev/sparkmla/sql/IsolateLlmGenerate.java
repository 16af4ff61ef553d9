package dev.sparkmla.sql;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionByExpression;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionOperation;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;

/**
 * Adds a shuffle above generations whose rows Spark would otherwise compute twice. Spark then reads
 * the shuffle's files twice instead.
 *
 * <p>Spark computes rows twice for range partitioning, which samples its input first, and for a
 * subquery that occurs several times in a query. The rule runs once, after the other rules for
 * generations.
 */
final class IsolateLlmGenerate extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    if (!plan.exists(node -> node instanceof LlmGeneration)) {
      return plan;
    }
    Map<LogicalPlan, Integer> times = new HashMap<>();
    plan.foreach(
        node -> {
          if (node instanceof LlmGeneration && node.deterministic()) {
            times.merge(node.canonicalized(), 1, Integer::sum);
          }
          return scala.runtime.BoxedUnit.UNIT;
        });
    return isolate(plan, times)
        .transformUp(Catalyst.everywhere(IsolateLlmGenerate::isolateSampled));
  }

  /** Adds the shuffle above the uppermost of nested generations, which serves the others too. */
  private static LogicalPlan isolate(LogicalPlan plan, Map<LogicalPlan, Integer> times) {
    if (plan instanceof LlmGeneration && times.getOrDefault(plan.canonicalized(), 0) > 1) {
      return shuffled(plan);
    }
    return plan.mapChildren(child -> isolate(child, times));
  }

  private static LogicalPlan isolateSampled(LogicalPlan node) {
    if (isRangePartitioned(node) && isComputedWith(node.children().apply(0))) {
      return node.withNewChildren(Catalyst.seq(List.of(shuffled(node.children().apply(0)))));
    }
    return node;
  }

  private static boolean isRangePartitioned(LogicalPlan node) {
    return (node instanceof Sort sort && sort.global())
        || (node instanceof RepartitionByExpression repartition
            && Catalyst.<Expression>list(repartition.partitionExpressions()).stream()
                .anyMatch(key -> key instanceof SortOrder));
  }

  /**
   * Whether computing the rows of a plan computes a generation, instead of reading it from a
   * shuffle.
   */
  private static boolean isComputedWith(LogicalPlan plan) {
    if (plan instanceof LlmGeneration) {
      return true;
    }
    return !(plan instanceof RepartitionOperation repartition && repartition.shuffle())
        && Catalyst.<LogicalPlan>list(plan.children()).stream()
            .anyMatch(IsolateLlmGenerate::isComputedWith);
  }

  private static LogicalPlan shuffled(LogicalPlan plan) {
    return new RepartitionByExpression(
        Catalyst.seq(List.of()), plan, Option.empty(), Option.empty());
  }
}
