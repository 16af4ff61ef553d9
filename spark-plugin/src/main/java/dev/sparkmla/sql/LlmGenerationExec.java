package dev.sparkmla.sql;

import dev.sparkmla.plugin.ApplicationModel;
import dev.sparkmla.plugin.ConfEntry;
import dev.sparkmla.plugin.InvalidConfigurationException;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.physical.Partitioning;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.metric.SQLMetric;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Map;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** The physical operator of {@link LlmGeneration}. Each task runs a {@link GenerationTask}. */
public final class LlmGenerationExec extends SparkPlan implements CatalystNode {
  private static final long serialVersionUID = 1L;

  private final LlmGenerate call;
  private final Attribute column;
  private final SparkPlan child;
  private transient GenerationMetrics metrics;

  /**
   * Public because Catalyst copies plans by reflection.
   *
   * @param call as in {@link LlmGeneration}
   * @param column the column of the result
   * @param child the plan whose rows it reads
   */
  public LlmGenerationExec(LlmGenerate call, Attribute column, SparkPlan child) {
    this.call = call;
    this.column = column;
    this.child = child;
  }

  /**
   * The operator's line of EXPLAIN: the call, the model, and the limits of batches and of the
   * window.
   */
  @Override
  public String argString(int maxFields) {
    return call
        + " AS "
        + column
        + ", model: "
        + ApplicationModel.name(sparkContext().getConf()).orElse("none")
        + ", batch: "
        + setting(MlaConf.BATCH_ROWS)
        + " rows or "
        + setting(MlaConf.BATCH_BYTES)
        + ", window: "
        + setting(MlaConf.WINDOW_BYTES);
  }

  /** A setting as it was written, since a plan is shown even if its settings are invalid. */
  private String setting(ConfEntry<?> entry) {
    return conf().getConfString(entry.key(), entry.defaultText().orElse("none"));
  }

  @Override
  public RDD<InternalRow> doExecute() {
    if (!MlaPlugin.isIn(sparkContext().getConf())) {
      throw new InvalidConfigurationException(
          "spark.plugins",
          sparkContext().getConf().get("spark.plugins", null),
          MlaPlugin.class.getName() + " among the application's plugins, for " + LlmGenerate.NAME);
    }
    MlaConf settings =
        MlaConf.of(CollectionConverters.asJava(conf().getAllConfs()), sparkContext().getConf());
    GenerationTask task =
        new GenerationTask(
            call,
            Catalyst.list(child.output()),
            settings.get(MlaConf.BATCH_ROWS),
            settings.get(MlaConf.BATCH_BYTES),
            settings.get(MlaConf.WINDOW_BYTES),
            generationMetrics());
    return child.execute().toJavaRDD().mapPartitionsWithIndex(task, true).rdd();
  }

  @Override
  public Map<String, SQLMetric> metrics() {
    return generationMetrics().byName();
  }

  private synchronized GenerationMetrics generationMetrics() {
    if (metrics == null) {
      metrics = GenerationMetrics.create(sparkContext());
    }
    return metrics;
  }

  @Override
  public Seq<Attribute> output() {
    List<Attribute> columns = new ArrayList<>(Catalyst.<Attribute>list(child.output()));
    columns.add(column);
    return Catalyst.seq(columns);
  }

  @Override
  public AttributeSet producedAttributes() {
    return AttributeSet.apply(column);
  }

  @Override
  public Partitioning outputPartitioning() {
    return child.outputPartitioning();
  }

  @Override
  public Seq<SortOrder> outputOrdering() {
    return child.outputOrdering();
  }

  @Override
  public Seq<SparkPlan> children() {
    return Catalyst.seq(List.of(child));
  }

  @Override
  public SparkPlan withNewChildrenInternal(IndexedSeq<SparkPlan> children) {
    return new LlmGenerationExec(call, column, children.apply(0));
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
