package dev.sparkmla.sql;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.CheckConstraint;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.CreateVariable;
import org.apache.spark.sql.catalyst.plans.logical.DefaultValueExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.runtime.BoxedUnit;

/**
 * Refuses a call that would be stored, to be computed where no plan can be given a node for it: in
 * a CHECK constraint, and in the default of a variable. Spark itself refuses it in the default of a
 * column, in a generated column, in LIMIT and OFFSET and in an inline table. Changes no plan.
 *
 * <p>It looks at names, before they are resolved: a constraint is turned into text as soon as it
 * is.
 */
final class RefuseStoredCalls extends Rule<LogicalPlan> {
  private static final Set<String> NAMES = Set.of(LlmGenerate.NAME, LlmGenerate.TEXT_NAME);

  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    plan.foreach(
        node -> {
          for (Expression expression : Catalyst.<Expression>list(node.expressions())) {
            expression.foreach(
                part -> {
                  place(node, part).ifPresent(place -> refuseCalls(part, place));
                  return BoxedUnit.UNIT;
                });
          }
          return BoxedUnit.UNIT;
        });
    return plan;
  }

  private static Optional<String> place(LogicalPlan node, Expression part) {
    if (part instanceof CheckConstraint) {
      return Optional.of("a CHECK constraint; check rows in the query that writes them");
    }
    return part instanceof DefaultValueExpression && node instanceof CreateVariable
        ? Optional.of("a variable's default; SET it to the result of a query")
        : Optional.empty();
  }

  private static void refuseCalls(Expression stored, String place) {
    stored.foreach(
        part -> {
          if (part instanceof UnresolvedFunction function
              && NAMES.contains(function.nameParts().last().toLowerCase(Locale.ROOT))) {
            throw Catalyst.error(function.sql() + " cannot be computed in " + place);
          }
          return BoxedUnit.UNIT;
        });
  }
}
