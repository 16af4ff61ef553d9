package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.trees.CurrentOrigin;
import org.apache.spark.unsafe.Platform;
import scala.Option;
import scala.PartialFunction;
import scala.collection.IterableOnce;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractPartialFunction;

/** Calls Catalyst's Scala API from Java. Thread-safe. */
final class Catalyst {
  // PySpark cannot show an error without a condition; this one's message is what it is given.
  private static final String CONDITION = "_LEGACY_ERROR_USER_RAISED_EXCEPTION";

  private Catalyst() {}

  /** An immutable Scala sequence. */
  static <T> Seq<T> seq(List<? extends T> elements) {
    return CollectionConverters.<T>asScala(new ArrayList<T>(elements)).toSeq();
  }

  /** A copy as a Java list. */
  static <T> List<T> list(IterableOnce<? extends T> elements) {
    List<T> list = new ArrayList<>();
    scala.collection.Iterator<? extends T> iterator = elements.iterator();
    while (iterator.hasNext()) {
      list.add(iterator.next());
    }
    return list;
  }

  /** A Scala function for the methods that transform trees. */
  static <T> PartialFunction<T, T> everywhere(UnaryOperator<T> function) {
    return new Everywhere<>(function);
  }

  /** Gives an expression a name, with a new id. */
  static Alias alias(Expression expression, String name) {
    return alias(expression, name, NamedExpression$.MODULE$.newExprId());
  }

  /** Gives an expression a name with a given id. */
  static Alias alias(Expression expression, String name, ExprId id) {
    return new Alias(expression, name, id, seq(List.of()), Option.empty(), seq(List.of()));
  }

  /** A plan's output columns. */
  static List<Attribute> output(LogicalPlan plan) {
    return list(plan.output());
  }

  /** The rows of a plan with only these columns. */
  static LogicalPlan select(List<? extends NamedExpression> columns, LogicalPlan plan) {
    return new Project(seq(columns), plan);
  }

  /** A plan with exactly these columns: the plan itself, or a projection of it. */
  static LogicalPlan withOutput(List<Attribute> columns, LogicalPlan plan) {
    List<Attribute> present = output(plan);
    boolean same = present.size() == columns.size();
    for (int i = 0; same && i < columns.size(); i++) {
      same = present.get(i).exprId().equals(columns.get(i).exprId());
    }
    return same ? plan : select(columns, plan);
  }

  /** The conjunction of conditions, at least one. */
  static Expression all(List<Expression> conditions) {
    return conditions.stream().reduce(And::new).orElseThrow();
  }

  /** The conditions that are joined by AND, in order. */
  static List<Expression> conjuncts(Expression condition) {
    if (condition instanceof And and) {
      List<Expression> both = conjuncts(and.left());
      both.addAll(conjuncts(and.right()));
      return both;
    }
    return new ArrayList<>(List.of(condition));
  }

  /** Whether an expression reads only these columns. */
  static boolean reads(Expression expression, AttributeSet columns) {
    return expression.references().subsetOf(columns);
  }

  /**
   * Throws an {@link AnalysisException}, by which a query is refused before anything runs.
   *
   * @return nothing, so that the caller can write {@code throw}
   */
  @SuppressWarnings("unchecked") // Scala's Map comes without its types.
  static RuntimeException error(String message) {
    Platform.throwException(
        new AnalysisException(
            CONDITION,
            scala.collection.immutable.Map$.MODULE$
                .<String, String>empty()
                .updated("errorMessage", message),
            CurrentOrigin.get()));
    throw new AssertionError("unreachable");
  }

  private static final class Everywhere<T> extends AbstractPartialFunction<T, T> {
    private final UnaryOperator<T> function;

    Everywhere(UnaryOperator<T> function) {
      this.function = function;
    }

    @Override
    public boolean isDefinedAt(T value) {
      return true;
    }

    @Override
    public T apply(T value) {
      return function.apply(value);
    }

    // AbstractPartialFunction.applyOrElse asks for it; with it every value is one of the domain.
    @Override
    public <A extends T, B> B applyOrElse(A value, scala.Function1<A, B> otherwise) {
      @SuppressWarnings("unchecked")
      B result = (B) function.apply(value);
      return result;
    }
  }
}
