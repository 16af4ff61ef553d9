package dev.sparkmla.jobs;

import dev.sparkmla.metrics.RunProgress;
import dev.sparkmla.sql.GenerationMetrics;
import java.io.Console;
import java.io.PrintStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;
import org.apache.spark.Success$;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import scala.collection.Iterator;
import scala.collection.Seq;

/**
 * Says how far the running job is: in a terminal on one line that changes, in a log on a line every
 * ten seconds, and every few seconds on Spark's page Generation.
 *
 * <p>It reads what the operator counts, as executors report it while their tasks run and once more
 * as each ends. Closing it leaves a terminal's line empty. Thread-safe.
 */
final class Progress extends SparkListener implements AutoCloseable {
  private static final Duration IN_TERMINAL = Duration.ofMillis(500);
  private static final Duration IN_LOG = Duration.ofSeconds(10);
  private static final Duration ON_PAGE = Duration.ofSeconds(5);

  private final SparkContext context;
  private final PrintStream out;
  private final boolean terminal;
  private final String run;
  private final long earlier;
  private final long total;
  private final long start = System.nanoTime();
  private final Map<Long, Counts> tasks = new HashMap<>();
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "spark-mla-progress");
            thread.setDaemon(true);
            return thread;
          });
  private int widest;

  /**
   * @param out where to
   * @param terminal whether a person watches a terminal
   * @param run what a person calls the run
   * @param earlier rows that earlier runs have generated
   * @param total rows there are, those among them
   */
  Progress(
      SparkContext context,
      PrintStream out,
      boolean terminal,
      String run,
      long earlier,
      long total) {
    this.context = context;
    this.out = out;
    this.terminal = terminal;
    this.run = run;
    this.earlier = earlier;
    this.total = Math.max(1, total);
  }

  /** Starts to watch. */
  void start() {
    context.addSparkListener(this);
    post();
    repeat(this::print, terminal ? IN_TERMINAL : IN_LOG);
    repeat(this::post, ON_PAGE);
  }

  private void repeat(Runnable saying, Duration period) {
    ScheduledFuture<?> unused =
        clock.scheduleAtFixedRate(
            saying, period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Whether this process talks to a terminal. */
  @SuppressWarnings("SystemConsoleNull") // newer versions are asked below
  static boolean inTerminal() {
    Console console = System.console();
    if (console == null || Runtime.version().feature() < 22) {
      return console != null;
    }
    try {
      // Since Java 22 there is a console without a terminal too, and this method to ask it.
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
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
    long rows = 0;
    long tokens = 0;
    for (Counts counts : tasks.values()) {
      rows += counts.rows;
      tokens += counts.tokens;
    }
    return new ProgressLine(
        earlier, earlier + rows, total, tokens, Duration.ofNanos(System.nanoTime() - start));
  }

  @Override
  public void close() {
    clock.shutdownNow();
    context.removeSparkListener(this);
    erase();
  }

  // A task's reports may arrive out of order; what it has counted only grows.
  private synchronized void report(long task, Counts counts) {
    tasks.merge(task, counts, Counts::max);
  }

  private synchronized void forget(long task) {
    tasks.remove(task);
  }

  private synchronized void erase() {
    if (terminal) {
      out.print("\r" + " ".repeat(widest) + "\r");
      out.flush();
    }
  }

  private void post() {
    ProgressLine now = line();
    context
        .listenerBus()
        .post(
            new RunProgress(
                run, System.currentTimeMillis(), now.earlier(), now.done(), now.total()));
  }

  private synchronized void print() {
    String line = line().toString();
    if (terminal) {
      widest = Math.max(widest, line.length());
      out.print("\r" + line + " ".repeat(widest - line.length()));
      out.flush();
    } else {
      out.println(line);
    }
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
