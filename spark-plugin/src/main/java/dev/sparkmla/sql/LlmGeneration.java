package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * The child's rows, each with the result of one call as a further column. Rows keep their order and
 * their partitions.
 */
public final class LlmGeneration extends LogicalPlan implements CatalystNode {
  private final LlmGenerate call;
  private final Attribute column;
  private final LogicalPlan child;

  /**
   * Public because Catalyst copies plans by reflection.
   *
   * @param call the call, whose arguments contain no further call
   * @param column the column of the result
   * @param child the plan whose rows it reads
   */
  public LlmGeneration(LlmGenerate call, Attribute column, LogicalPlan child) {
    this.call = call;
    this.column = column;
    this.child = child;
  }

  /** A node for {@code call} with a new column. */
  static LlmGeneration of(LlmGenerate call, LogicalPlan child) {
    return new LlmGeneration(call, Catalyst.alias(call, LlmGenerate.NAME).toAttribute(), child);
  }

  LlmGenerate call() {
    return call;
  }

  Attribute column() {
    return column;
  }

  LogicalPlan child() {
    return child;
  }

  /** The same call over other rows. */
  LlmGeneration over(LogicalPlan other) {
    return new LlmGeneration(call, column, other);
  }

  @Override
  public String argString(int maxFields) {
    return call + " AS " + column;
  }

  @Override
  public Seq<Attribute> output() {
    List<Attribute> columns = new ArrayList<>(Catalyst.output(child));
    columns.add(column);
    return Catalyst.seq(columns);
  }

  @Override
  public AttributeSet producedAttributes() {
    return AttributeSet.apply(column);
  }

  @Override
  public Seq<SortOrder> outputOrdering() {
    return child.outputOrdering();
  }

  @Override
  public Option<Object> maxRows() {
    return child.maxRows();
  }

  @Override
  public Option<Object> maxRowsPerPartition() {
    return child.maxRowsPerPartition();
  }

  @Override
  public org.apache.spark.sql.catalyst.expressions.ExpressionSet validConstraints() {
    return child.constraints();
  }

  @Override
  public Seq<LogicalPlan> children() {
    return Catalyst.seq(List.of(child));
  }

  @Override
  public LogicalPlan withNewChildrenInternal(IndexedSeq<LogicalPlan> children) {
    return new LlmGeneration(call, column, children.apply(0));
  }

  @Override
  public List<Object> arguments() {
    return List.of(call, column, child);
  }

  @Override
  public boolean equals(Object other) {
    return equalArguments(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
