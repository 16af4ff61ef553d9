package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.CheckConstraint;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser$;
import org.apache.spark.sql.catalyst.plans.logical.CreateVariable;
import org.apache.spark.sql.catalyst.plans.logical.DefaultValueExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.TableSpecBase;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.BoxedUnit;

/**
 * Refuses a call that would be stored, to be computed where no plan can be given a node for it: in
 * a CHECK constraint, and in the default of a variable. Spark itself refuses it in the default of a
 * column, in a generated column, in LIMIT and OFFSET and in an inline table. Changes no plan.
 *
 * <p>It looks at names, before they are resolved: a constraint is turned into text as soon as it
 * is. Some statements give Delta a constraint as a text, which is parsed here.
 */
final class RefuseStoredCalls extends Rule<LogicalPlan> {
  private static final String CHECK =
      "a CHECK constraint; check rows in the query that writes them";
  private static final String DELTA_ADD_CONSTRAINT =
      "org.apache.spark.sql.catalyst.plans.logical.AlterTableAddConstraint";
  private static final int DELTA_CHECK_TEXT = 2;
  private static final String DELTA_CONSTRAINTS = "delta.constraints.";
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
          checkTexts(node).forEach(text -> refuseCalls(parsed(text), CHECK));
          return BoxedUnit.UNIT;
        });
    return plan;
  }

  /** The conditions of CHECK constraints that a statement gives Delta as texts. */
  private static List<String> checkTexts(LogicalPlan node) {
    List<String> texts = new ArrayList<>();
    if (node.getClass().getName().equals(DELTA_ADD_CONSTRAINT)) {
      texts.add((String) node.productElement(DELTA_CHECK_TEXT));
    }
    for (Object part : Catalyst.list(node.productIterator())) {
      if (part instanceof TableSpecBase table) {
        CollectionConverters.asJava(table.properties())
            .forEach(
                (property, value) -> {
                  if (property.toLowerCase(Locale.ROOT).startsWith(DELTA_CONSTRAINTS)) {
                    texts.add(value);
                  }
                });
      }
    }
    return texts;
  }

  private static Expression parsed(String expression) {
    return CatalystSqlParser$.MODULE$.parseExpression(expression);
  }

  private static Optional<String> place(LogicalPlan node, Expression part) {
    if (part instanceof CheckConstraint) {
      return Optional.of(CHECK);
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
