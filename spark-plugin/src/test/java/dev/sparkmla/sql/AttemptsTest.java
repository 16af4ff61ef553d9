package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.GenerationResult;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.rdd.RDD;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec;
import org.apache.spark.sql.execution.joins.BroadcastHashJoinExec;
import org.apache.spark.sql.execution.joins.SortMergeJoinExec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import scala.reflect.ClassTag$;

/**
 * A partition that is computed more than once, or planned anew, gives its rows once and the same.
 */
class AttemptsTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  private final EchoGenerator generator = EchoGenerator.INSTANCE;

  /** What a speculative copy of a task does in an executor: the same partition, at once. */
  @Test
  void twoAttemptsAtOnceGiveTheSameRows() {
    SPARK.makeTable(40, 1);
    CyclicBarrier both = new CyclicBarrier(2);
    generator.answerWith(
        request -> {
          if (EchoGenerator.text(request).equals("prompt 0")) {
            return CompletableFuture.supplyAsync(
                () -> {
                  await(both);
                  return EchoGenerator.echo(request);
                });
          }
          return CompletableFuture.completedFuture(EchoGenerator.echo(request));
        });
    Dataset<Row> query = SPARK.session().sql("select id, llm_generate_text(p) g from t");
    RDD<InternalRow> rows =
        ((org.apache.spark.sql.classic.Dataset<Row>) query).queryExecution().toRdd();
    Object attempts =
        SPARK
            .session()
            .sparkContext()
            .runJob(
                rows,
                new RowsAsText(),
                Catalyst.<Object>seq(List.of(0, 0)),
                ClassTag$.MODULE$.apply(List.class));
    List<?> first = (List<?>) ((Object[]) attempts)[0];
    assertThat(first).hasSize(40).isEqualTo(((Object[]) attempts)[1]);
  }

  private static final class RowsAsText
      extends scala.runtime.AbstractFunction1<scala.collection.Iterator<InternalRow>, List<String>>
      implements java.io.Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public List<String> apply(scala.collection.Iterator<InternalRow> rows) {
      List<String> texts = new ArrayList<>();
      while (rows.hasNext()) {
        InternalRow row = rows.next();
        texts.add(row.getLong(0) + ": " + row.getUTF8String(1));
      }
      return texts;
    }
  }

  private static void await(CyclicBarrier barrier) {
    try {
      barrier.await();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** What happens to the slower of two copies: it is killed with rows in flight. */
  @Test
  void aKilledAttemptFreesItsRowsAndTheNextGivesThem() throws Exception {
    SPARK.makeTable(40, 1);
    SparkSession spark = SPARK.session();
    List<CompletableFuture<GenerationResult>> open =
        Collections.synchronizedList(new ArrayList<>());
    int submittedAtOnce = 2 * EchoGenerator.SEQUENCES;
    CountDownLatch submitted = new CountDownLatch(submittedAtOnce);
    AtomicLong attempt = new AtomicLong(-1);
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskStart(SparkListenerTaskStart start) {
            attempt.compareAndSet(-1, start.taskInfo().taskId());
          }
        };
    spark.sparkContext().addSparkListener(listener);
    generator.answerWith(
        request -> {
          if (open.size() < submittedAtOnce) {
            CompletableFuture<GenerationResult> never = new CompletableFuture<>();
            open.add(never);
            submitted.countDown();
            return never;
          }
          return CompletableFuture.completedFuture(EchoGenerator.echo(request));
        });
    CompletableFuture<List<Row>> rows =
        CompletableFuture.supplyAsync(
            () -> spark.sql("select id, llm_generate_text(p) g from t").collectAsList());
    submitted.await();
    spark.sparkContext().listenerBus().waitUntilEmpty();
    assertThat(spark.sparkContext().killTaskAttempt(attempt.get(), true, "another was faster"))
        .isTrue();
    assertThat(rows.get()).extracting(row -> row.getLong(0)).isSorted().hasSize(40);
    assertThat(rows.get())
        .allMatch(row -> row.getString(1).equals("<prompt " + row.getLong(0) + ">"));
    spark.sparkContext().removeSparkListener(listener);
    assertThat(open).allMatch(CompletableFuture::isCancelled);
    assertThat(generator.requests()).hasSize(submittedAtOnce + 40);
  }

  @Test
  void aPlanThatChangesAsItRunsGeneratesOnce() {
    SPARK.makeTable(100, 4);
    SPARK.set(
        Map.of(
            "spark.sql.adaptive.enabled", "true",
            "spark.sql.autoBroadcastJoinThreshold", "-1",
            "spark.sql.adaptive.autoBroadcastJoinThreshold", "10m"));
    Dataset<Row> query =
        SPARK
            .session()
            .sql(
                "select a.id, a.g, b.g h from (select id, llm_generate_text(p) g from t) a"
                    + " join (select id, llm_generate_text(concat(p, '!')) g from t where id % 5 = 0)"
                    + " b on a.id = b.id");
    AdaptiveSparkPlanExec plan =
        (AdaptiveSparkPlanExec)
            ((org.apache.spark.sql.classic.Dataset<Row>) query).queryExecution().executedPlan();
    assertThat(Plans.operators(plan.initialPlan(), SortMergeJoinExec.class)).hasSize(1);
    assertThat(query.collectAsList())
        .hasSize(20)
        .allMatch(row -> row.getString(2).equals("<prompt " + row.getLong(0) + "!>"));
    assertThat(Plans.operators(plan, BroadcastHashJoinExec.class)).hasSize(1);
    assertThat(generator.requests()).hasSize(40);
  }
}
