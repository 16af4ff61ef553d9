package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec;
import org.apache.spark.sql.execution.adaptive.QueryStageExec;

/** Looks into the plans of queries. */
final class Plans {
  private Plans() {}

  /** A query's operators that generate, adaptive stages included. */
  static List<LlmGenerationExec> generations(Dataset<Row> query) {
    List<LlmGenerationExec> found = new ArrayList<>();
    collect(
        ((org.apache.spark.sql.classic.Dataset<Row>) query).queryExecution().executedPlan(), found);
    return found;
  }

  private static void collect(SparkPlan plan, List<LlmGenerationExec> found) {
    if (plan instanceof AdaptiveSparkPlanExec adaptive) {
      collect(adaptive.executedPlan(), found);
    } else if (plan instanceof QueryStageExec stage) {
      collect(stage.plan(), found);
    } else {
      if (plan instanceof LlmGenerationExec generation) {
        found.add(generation);
      }
      Catalyst.<SparkPlan>list(plan.children()).forEach(child -> collect(child, found));
    }
  }
}
