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
    return operators(
        ((org.apache.spark.sql.classic.Dataset<Row>) query).queryExecution().executedPlan(),
        LlmGenerationExec.class);
  }

  /** A plan's operators of one kind as it stands now, adaptive stages included. */
  static <P extends SparkPlan> List<P> operators(SparkPlan plan, Class<P> kind) {
    List<P> found = new ArrayList<>();
    collect(plan, kind, found);
    return found;
  }

  private static <P extends SparkPlan> void collect(SparkPlan plan, Class<P> kind, List<P> found) {
    if (plan instanceof AdaptiveSparkPlanExec adaptive) {
      collect(adaptive.executedPlan(), kind, found);
    } else if (plan instanceof QueryStageExec stage) {
      collect(stage.plan(), kind, found);
    } else {
      if (kind.isInstance(plan)) {
        found.add(kind.cast(plan));
      }
      Catalyst.<SparkPlan>list(plan.children()).forEach(child -> collect(child, kind, found));
    }
  }
}
