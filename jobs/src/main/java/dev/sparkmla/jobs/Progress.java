package dev.sparkmla.jobs;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.metrics.GenerationStore;
import dev.sparkmla.metrics.RunProgress;
import dev.sparkmla.sql.GenerationMetrics;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;
import org.apache.spark.Success$;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.ThreadUtils;
import scala.collection.Iterator;
import scala.collection.Seq;

/**
 * How far the running job is. It reads what the operator counts, as executors report it while their
 * tasks run and once more as each ends, and what their engines do, and says it on Spark's page
 * Generation every few seconds. Thread-safe.
 */
final class Progress extends SparkListener implements AutoCloseable {
  private static final Duration ON_PAGE = Duration.ofSeconds(5);

  private final SparkContext context;
  private final GenerationStore engines;
  private final String run;
  private final long earlier;
  private final long total;
  private final long start = System.nanoTime();
  private final Map<Long, Counts> tasks = new HashMap<>();
  private final ScheduledExecutorService clock =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("spark-mla-page");

  /**
   * Starts to watch.
   *
   * @param run what a person calls the run
   * @param earlier rows that earlier runs have generated
   * @param total rows there are, those among them
   */
  Progress(SparkContext context, String run, long earlier, long total) {
    this.context = context;
    this.engines = new GenerationStore(context.statusStore().store());
    this.run = run;
    this.earlier = earlier;
    this.total = Math.max(1, total);
    context.addSparkListener(this);
    long period = ON_PAGE.toMillis();
    ScheduledFuture<?> unused =
        clock.scheduleAtFixedRate(this::post, 0, period, TimeUnit.MILLISECONDS);
  }

  private void post() {
    ProgressLine now = line();
    context
        .listenerBus()
        .post(
            new RunProgress(
                run, System.currentTimeMillis(), now.earlier(), now.done(), now.total()));
  }

  @Override
  public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
    Iterator<scala.Tuple4<Object, Object, Object, scala.collection.immutable.Seq<AccumulableInfo>>>
        running = update.accumUpdates().iterator();
    while (running.hasNext()) {
      var task = running.next();
      report((Long) task._1(), Counts.of(task._4()));
    }
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    if (end.reason().equals(Success$.MODULE$)) {
      report(end.taskInfo().taskId(), Counts.of(end.taskInfo().accumulables()));
    } else {
      forget(end.taskInfo().taskId());
    }
  }

  /** Where the job stands. */
  synchronized ProgressLine line() {
    EngineStatistics now = engines.totals();
    long rows = 0;
    long tokens = 0;
    for (Counts counts : tasks.values()) {
      rows += counts.rows;
      tokens += counts.tokens;
    }
    return new ProgressLine(
        earlier,
        earlier + rows,
        total,
        now.running(),
        now.waiting(),
        tokens,
        Duration.ofNanos(System.nanoTime() - start));
  }

  @Override
  public void close() {
    clock.shutdownNow();
    context.removeSparkListener(this);
  }

  // A task's reports may arrive out of order; what it has counted only grows.
  private synchronized void report(long task, Counts counts) {
    tasks.merge(task, counts, Counts::max);
  }

  private synchronized void forget(long task) {
    tasks.remove(task);
  }

  /**
   * What one task has counted.
   *
   * @param rows rows generated
   * @param tokens tokens of their prompts and generated ones
   */
  private record Counts(long rows, long tokens) {
    static Counts of(Seq<AccumulableInfo> accumulables) {
      long rows = 0;
      long tokens = 0;
      Iterator<AccumulableInfo> each = accumulables.iterator();
      while (each.hasNext()) {
        AccumulableInfo counter = each.next();
        if (counter.name().isDefined() && counter.update().isDefined()) {
          switch (counter.name().get()) {
            case GenerationMetrics.PROMPTS -> rows += count(counter);
            case GenerationMetrics.PROMPT_TOKENS, GenerationMetrics.OUTPUT_TOKENS ->
                tokens += count(counter);
            default -> {
              // One of Spark's own.
            }
          }
        }
      }
      return new Counts(rows, tokens);
    }

    static Counts max(Counts one, Counts other) {
      return new Counts(Math.max(one.rows, other.rows), Math.max(one.tokens, other.tokens));
    }

    private static long count(AccumulableInfo counter) {
      return Long.parseLong(counter.update().get().toString());
    }
  }
}
