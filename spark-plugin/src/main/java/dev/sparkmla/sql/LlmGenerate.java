package dev.sparkmla.sql;

import dev.sparkmla.arrow.OverflowPolicy;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.PrettyAttribute;
import org.apache.spark.sql.catalyst.expressions.Unevaluable;
import org.apache.spark.sql.catalyst.expressions.UserDefinedExpression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * A call of {@code llm_generate} or {@code llm_generate_text}. It is never evaluated as an
 * expression: {@link ExtractLlmGenerate} moves it to an operator of its own. Immutable.
 *
 * <p>It is declared deterministic, because the same arguments give the same text; so SQL allows it
 * wherever an expression is allowed. It is declared expensive, so that Spark does not duplicate it.
 * It is declared user-defined, so that Delta stores the source of a MERGE that contains calls
 * instead of reading it twice.
 */
public final class LlmGenerate extends Expression
    implements CatalystNode, Unevaluable, UserDefinedExpression, Serializable {
  private static final long serialVersionUID = 1L;

  /** The name of the function that returns the whole result. */
  static final String NAME = "llm_generate";

  /** The name of the function that returns the text alone. */
  static final String TEXT_NAME = "llm_generate_text";

  private final Expression prompt;
  private final Expression params;
  private final Expression system;
  private final OnError onError;
  private final OverflowPolicy onOverflow;
  private final ResultType resultType;
  private final boolean textOnly;

  /**
   * Public because Catalyst copies expressions by reflection.
   *
   * @param prompt STRING or ARRAY&lt;STRUCT&lt;role STRING, content STRING&gt;&gt;
   * @param params MAP&lt;STRING, STRING&gt;; a NULL literal where the call names none
   * @param system STRING; a NULL literal where the call names none
   * @param onError what is done with a row in error
   * @param onOverflow what is done with a prompt that is too long
   * @param resultType the type of the whole result
   * @param textOnly whether the result is the text alone
   */
  public LlmGenerate(
      Expression prompt,
      Expression params,
      Expression system,
      OnError onError,
      OverflowPolicy onOverflow,
      ResultType resultType,
      boolean textOnly) {
    this.prompt = prompt;
    this.params = params;
    this.system = system;
    this.onError = onError;
    this.onOverflow = onOverflow;
    this.resultType = resultType;
    this.textOnly = textOnly;
  }

  Expression prompt() {
    return prompt;
  }

  Expression params() {
    return params;
  }

  Expression system() {
    return system;
  }

  OnError onError() {
    return onError;
  }

  OverflowPolicy onOverflow() {
    return onOverflow;
  }

  ResultType resultType() {
    return resultType;
  }

  boolean textOnly() {
    return textOnly;
  }

  /** The call that returns the whole result for the same arguments. */
  LlmGenerate whole() {
    return textOnly
        ? new LlmGenerate(prompt, params, system, onError, onOverflow, resultType, false)
        : this;
  }

  /** This call with {@code change} applied to each argument. */
  LlmGenerate withArguments(Function<Expression, Expression> change) {
    return new LlmGenerate(
        change.apply(prompt),
        change.apply(params),
        change.apply(system),
        onError,
        onOverflow,
        resultType,
        textOnly);
  }

  @Override
  public Seq<Expression> children() {
    return Catalyst.seq(List.of(prompt, params, system));
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new LlmGenerate(
        children.apply(0),
        children.apply(1),
        children.apply(2),
        onError,
        onOverflow,
        resultType,
        textOnly);
  }

  @Override
  public DataType dataType() {
    return textOnly ? DataTypes.StringType : resultType.struct();
  }

  @Override
  public boolean nullable() {
    return true;
  }

  @Override
  public boolean foldable() {
    return false;
  }

  @Override
  public boolean expensive() {
    return true;
  }

  @Override
  public Object eval(InternalRow row) {
    throw notInAQuery();
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    throw notInAQuery();
  }

  /** Where an expression is evaluated outside of a query's plan, no rule sees the call. */
  private RuntimeException notInAQuery() {
    return Catalyst.error(
        sql()
            + " is in an expression that is stored with a table, such as a CHECK constraint, where"
            + " it cannot be computed; drop the expression and compute the call in the query that"
            + " writes");
  }

  @Override
  public String name() {
    return textOnly ? TEXT_NAME : NAME;
  }

  @Override
  public String prettyName() {
    return name();
  }

  @Override
  public String toString() {
    return described(LlmGenerate::readably);
  }

  @Override
  public String sql() {
    return described(Expression::sql);
  }

  @Override
  public List<Object> arguments() {
    return List.of(prompt, params, system, onError, onOverflow, resultType, textOnly);
  }

  @Override
  public boolean equals(Object other) {
    return equalArguments(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }

  private String described(Function<Expression, String> words) {
    List<String> arguments = new ArrayList<>();
    arguments.add(words.apply(prompt));
    if (!isAbsent(params)) {
      arguments.add("params => " + words.apply(params));
    }
    if (!isAbsent(system)) {
      arguments.add("system => " + words.apply(system));
    }
    if (onError != OnError.ROW) {
      arguments.add("on_error => '" + onError + "'");
    }
    if (onOverflow != OverflowPolicy.ERROR) {
      arguments.add("on_overflow => '" + onOverflow + "'");
    }
    resultType
        .answer()
        .spelling()
        .map(format -> Literal$.MODULE$.create(format, DataTypes.StringType).sql())
        .ifPresent(format -> arguments.add("response_format => " + format));
    return prettyName() + "(" + String.join(", ", arguments) + ")";
  }

  /** Writes literals as SQL does, with quotes. */
  private static String readably(Expression argument) {
    return argument instanceof Literal literal ? literal.sql() : argument.toString();
  }

  private static boolean isAbsent(Expression argument) {
    // Spark names a column after the call with its literals made pretty.
    return argument instanceof PrettyAttribute pretty
        ? pretty.name().equals("NULL")
        : argument instanceof Literal literal && literal.value() == null;
  }
}
