package dev.sparkmla.sql;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import org.apache.spark.sql.execution.datasources.v2.StreamingDataSourceV2ScanRelation;
import scala.collection.immutable.Seq;

/**
 * Plans {@link LlmGeneration}, and refuses a call that no rule could move to an operator of its
 * own.
 */
final class LlmGenerationStrategy extends SparkStrategy {
  @Override
  public Seq<SparkPlan> apply(LogicalPlan plan) {
    if (plan instanceof LlmGeneration node) {
      if (node.exists(LlmGenerationStrategy::isContinuous)) {
        throw Catalyst.error(
            node.call().sql()
                + " cannot be computed in continuous processing, whose tasks wait for each row;"
                + " use a trigger of micro-batches");
      }
      return Catalyst.seq(
          List.of(new LlmGenerationExec(node.call(), node.column(), planLater(node.child()))));
    }
    if (DeltaCommands.isCommand(plan)) {
      DeltaCommands.check(plan);
    } else if (ExtractLlmGenerate.holdsCall(plan)) {
      String call =
          Catalyst.<Expression>list(plan.expressions()).stream()
              .filter(GuardedCalls::holdsCall)
              .findFirst()
              .orElseThrow()
              .sql();
      throw Catalyst.error(
          call + " cannot be computed in " + plan.nodeName() + "; compute it in a subquery first");
    }
    return Catalyst.seq(List.of());
  }

  /** Whether a plan reads a stream in continuous processing, which has no end offset. */
  private static boolean isContinuous(LogicalPlan plan) {
    return plan instanceof StreamingDataSourceV2ScanRelation scan
        && scan.startOffset().isDefined()
        && scan.endOffset().isEmpty();
  }
}
