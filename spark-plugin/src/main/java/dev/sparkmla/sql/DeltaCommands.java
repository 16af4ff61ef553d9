package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.execution.datasources.DataSource;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.Product;

/**
 * The calls in UPDATE, DELETE and MERGE of a Delta table.
 *
 * <p>Delta runs these statements by commands of its own, which put the statement's expressions into
 * several queries: {@link ExtractLlmGenerate} moves the calls there, and leaves the command alone.
 * The values of SET and INSERT are in one query, for the rows that take them. Conditions are in
 * more than one: one query finds the files to rewrite, others write them. Calls in conditions of
 * MERGE that read the source become columns of the source, which Delta stores before its queries;
 * other calls in conditions are refused.
 *
 * <p>The commands are recognized by their names, because Delta is not on every class path.
 */
final class DeltaCommands {
  private static final String PACKAGE = "org.apache.spark.sql.delta.commands.";
  private static final String CLAUSE = "org.apache.spark.sql.catalyst.plans.logical.DeltaMergeInto";
  private static final String MATERIALIZE_SOURCE = "spark.databricks.delta.merge.materializeSource";
  private static final String DELETE_BY_VECTORS =
      "spark.databricks.delta.delete.deletionVectors.persistent";
  private static final String DELETION_VECTORS = "delta.enableDeletionVectors";

  private enum Statement {
    UPDATE("UpdateCommand"),
    DELETE("DeleteCommand"),
    MERGE("MergeIntoCommand");

    private final String command;

    Statement(String command) {
      this.command = PACKAGE + command;
    }
  }

  private DeltaCommands() {}

  private static Optional<Statement> statement(LogicalPlan plan) {
    String name = plan.getClass().getName();
    return Arrays.stream(Statement.values())
        .filter(statement -> statement.command.equals(name))
        .findFirst();
  }

  /** Whether a plan is a command that puts its expressions into queries of its own. */
  static boolean isCommand(LogicalPlan plan) {
    return statement(plan).isPresent();
  }

  /**
   * Moves the calls in conditions of MERGE that read only the source into the source. Leaves other
   * commands as they are.
   */
  static LogicalPlan extract(LogicalPlan command) {
    if (statement(command).orElseThrow() != Statement.MERGE) {
      return command;
    }
    LogicalPlan source = source(command);
    List<Alias> columns = new ArrayList<>();
    conditions(command).forEach(condition -> addCalls(condition, source, columns));
    if (columns.isEmpty()) {
      return command;
    }
    List<NamedExpression> all = new ArrayList<>(Catalyst.output(source));
    all.addAll(columns);
    return withSource(
        command.mapExpressions(expression -> reading(columns, expression)),
        Catalyst.select(all, source));
  }

  private static void addCalls(Expression expression, LogicalPlan source, List<Alias> columns) {
    if (expression instanceof LlmGenerate call && Catalyst.reads(call, source.outputSet())) {
      if (column(columns, call).isEmpty()) {
        columns.add(Catalyst.alias(call, call.prettyName()));
      }
    } else {
      Catalyst.<Expression>list(expression.children())
          .forEach(child -> addCalls(child, source, columns));
    }
  }

  private static Expression reading(List<Alias> columns, Expression expression) {
    return column(columns, expression)
        .<Expression>map(column -> column)
        .orElseGet(() -> expression.mapChildren(child -> reading(columns, child)));
  }

  private static Optional<Attribute> column(List<Alias> columns, Expression call) {
    return columns.stream()
        .filter(column -> column.child().semanticEquals(call))
        .map(Alias::toAttribute)
        .findFirst();
  }

  /**
   * Refuses the calls of a command that Delta would compute more than once.
   *
   * @throws org.apache.spark.sql.AnalysisException with a statement that does the same
   */
  static void check(LogicalPlan command) {
    Statement statement = statement(command).orElseThrow();
    Optional<Expression> repeated =
        conditions(command).stream().filter(GuardedCalls::holdsCall).findFirst();
    switch (statement) {
      case UPDATE -> repeated.ifPresent(condition -> refuse(condition, "UPDATE", "UPDATE SET ..."));
      case DELETE -> repeated.ifPresent(condition -> checkDelete(command, condition));
      case MERGE -> {
        repeated.ifPresent(DeltaCommands::refuseInMerge);
        checkSource(source(command));
      }
    }
  }

  private static void refuse(Expression condition, String statement, String action) {
    String call = firstCall(condition).sql();
    throw Catalyst.error(
        call
            + " cannot be computed in the condition of a Delta table's "
            + statement
            + ", which evaluates it more than once; compute it in the source of a MERGE:"
            + " MERGE INTO t USING (SELECT id, "
            + call
            + " AS g FROM t) AS s ON t.id = s.id WHEN MATCHED AND s.g = '...' THEN "
            + action);
  }

  private static void refuseInMerge(Expression condition) {
    throw Catalyst.error(
        firstCall(condition).sql()
            + " reads the table in a condition of MERGE into a Delta table, which evaluates it more"
            + " than once; compute it in the source:"
            + " MERGE INTO t USING (SELECT s.*, "
            + LlmGenerate.TEXT_NAME
            + "(t.p) AS g FROM s JOIN t ON s.id = t.id) AS s ON t.id = s.id"
            + " WHEN MATCHED AND s.g = '...' THEN ...");
  }

  /** Refuses a source with calls that Delta is told not to store and so reads twice. */
  private static void checkSource(LogicalPlan source) {
    if (SQLConf.get().getConfString(MATERIALIZE_SOURCE, "auto").equalsIgnoreCase("none")
        && source.exists(ExtractLlmGenerate::holdsCall)) {
      throw Catalyst.error(
          "MERGE into a Delta table reads its source twice, and this one contains calls of "
              + LlmGenerate.NAME
              + "; set "
              + MATERIALIZE_SOURCE
              + " to auto instead of none");
    }
  }

  private static LlmGenerate firstCall(Expression expression) {
    return (LlmGenerate) expression.find(part -> part instanceof LlmGenerate).get();
  }

  /**
   * Refuses a call that is not in one query alone. With deletion vectors, the query that finds the
   * rows is all that DELETE computes of data. Conditions that read no column of the data are
   * evaluated for files.
   */
  private static void checkDelete(LogicalPlan delete, Expression condition) {
    LogicalPlan target = (LogicalPlan) argument(delete, "target").orElseThrow();
    HadoopFsRelation files =
        (HadoopFsRelation)
            ((LogicalRelation) target.find(node -> node instanceof LogicalRelation).get())
                .relation();
    Set<String> partitioning = Set.of(files.partitionSchema().fieldNames());
    for (Expression conjunct : Catalyst.conjuncts(condition)) {
      if (GuardedCalls.holdsCall(conjunct)
          && Catalyst.<Attribute>list(conjunct.references()).stream()
              .allMatch(column -> partitioning.contains(column.name()))) {
        refuse(condition, "DELETE, where it reads no column but partition columns", "DELETE");
      }
    }
    if (!Boolean.parseBoolean(SQLConf.get().getConfString(DELETE_BY_VECTORS, "true"))
        || !hasDeletionVectors(files)) {
      refuse(
          condition,
          "DELETE without deletion vectors (the table property " + DELETION_VECTORS + ")",
          "DELETE");
    }
  }

  private static boolean hasDeletionVectors(HadoopFsRelation files) {
    Option<TableProvider> delta = DataSource.lookupDataSourceV2("delta", SQLConf.get());
    String path = Catalyst.list(files.location().rootPaths()).get(0).toString();
    return Boolean.parseBoolean(
        delta
            .get()
            .getTable(new StructType(), new Transform[0], Map.of("path", path))
            .properties()
            .get(DELETION_VECTORS));
  }

  /** The conditions of a command and of its clauses. */
  private static List<Expression> conditions(LogicalPlan command) {
    List<Expression> conditions = new ArrayList<>();
    condition(command).ifPresent(conditions::add);
    for (Expression part : Catalyst.<Expression>list(command.expressions())) {
      if (part.getClass().getName().startsWith(CLAUSE)) {
        condition((Product) part).ifPresent(conditions::add);
      }
    }
    return conditions;
  }

  private static Optional<Expression> condition(Product node) {
    return argument(node, "condition")
        .map(value -> value instanceof Option<?> option ? option.getOrElse(() -> null) : value)
        .map(Expression.class::cast);
  }

  private static LogicalPlan source(LogicalPlan merge) {
    return (LogicalPlan) argument(merge, "source").orElseThrow();
  }

  private static LogicalPlan withSource(LogicalPlan merge, LogicalPlan source) {
    Object[] arguments = Catalyst.list(merge.productIterator()).toArray();
    for (int i = 0; i < arguments.length; i++) {
      if (merge.productElementName(i).equals("source")) {
        arguments[i] = source;
      }
    }
    return (LogicalPlan) merge.makeCopy(arguments);
  }

  /** The argument of a node's constructor that has this name. */
  private static Optional<Object> argument(Product node, String name) {
    for (int i = 0; i < node.productArity(); i++) {
      if (node.productElementName(i).equals(name)) {
        return Optional.of(node.productElement(i));
      }
    }
    return Optional.empty();
  }
}
