package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Alias;
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
public final class LlmGeneration extends LogicalPlan {
  private final Alias generated;
  private final LogicalPlan child;

  /**
   * Public because Catalyst copies plans by reflection.
   *
   * @param generated the call, a {@link LlmGenerate} whose arguments hold no further call, and the
   *     column's name
   * @param child whose rows it reads
   */
  public LlmGeneration(Alias generated, LogicalPlan child) {
    this.generated = generated;
    this.child = child;
  }

  /** A node for {@code call} with a new column. */
  static LlmGeneration of(LlmGenerate call, LogicalPlan child) {
    return new LlmGeneration(Catalyst.alias(call, LlmGenerate.NAME), child);
  }

  Alias generated() {
    return generated;
  }

  LlmGenerate call() {
    return (LlmGenerate) generated.child();
  }

  Attribute attribute() {
    return generated.toAttribute();
  }

  LogicalPlan child() {
    return child;
  }

  /** The same call over other rows. */
  LlmGeneration over(LogicalPlan other) {
    return new LlmGeneration(generated, other);
  }

  @Override
  public Seq<Attribute> output() {
    List<Attribute> columns = new ArrayList<>(Catalyst.output(child));
    columns.add(attribute());
    return Catalyst.seq(columns);
  }

  @Override
  public AttributeSet producedAttributes() {
    return AttributeSet.apply(attribute());
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
    return new LlmGeneration(generated, children.apply(0));
  }

  @Override
  public int productArity() {
    return 2;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> generated;
      case 1 -> child;
      default -> throw new IndexOutOfBoundsException(index);
    };
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof LlmGeneration;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof LlmGeneration node
        && generated.equals(node.generated)
        && child.equals(node.child);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
