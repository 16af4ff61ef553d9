package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.apache.spark.TaskContext;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the operator keeps in the engine, and in memory, where rows take very different times. */
class WindowTest {
  private static final int ROWS = 1000;

  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  private final EchoGenerator generator = EchoGenerator.INSTANCE;

  @BeforeEach
  void useUsualBatches() {
    SPARK.set(Map.of("spark.mla.batch.rows", "64", "spark.mla.window.bytes", "64m"));
  }

  /** Lengths of rows, in steps. */
  private enum Workload {
    LOG_NORMAL {
      @Override
      int length(Random random) {
        return (int) Math.min(1024, Math.ceil(128 * Math.exp(random.nextGaussian())));
      }
    },
    ONE_IN_A_HUNDRED {
      @Override
      int length(Random random) {
        return random.nextInt(100) == 0 ? 50 * 20 : 20;
      }
    };

    abstract int length(Random random);

    List<Integer> lengths(long seed) {
      Random random = new Random(seed);
      return IntStream.range(0, ROWS).mapToObj(row -> length(random)).toList();
    }
  }

  /**
   * Counts steps, as an engine takes them that runs {@link EchoGenerator#SEQUENCES} rows at once,
   * in the order they come: a row of length n ends with the n-th step from its first.
   */
  private static final class Steps {
    private final List<Running> running = new ArrayList<>();
    private long steps;

    private static final class Running {
      private final CompletableFuture<GenerationResult> result;
      private final GenerationResult answer;
      private int left;

      Running(int length, GenerationResult answer) {
        this.left = length;
        this.answer = answer;
        this.result = new CompletableFuture<>();
      }
    }

    /** Steps until a row ends, and returns the rows that ended. */
    private List<Running> untilOneEnds() {
      List<Running> now = running.subList(0, Math.min(EchoGenerator.SEQUENCES, running.size()));
      int shortest = now.stream().mapToInt(row -> row.left).min().orElseThrow();
      now.forEach(row -> row.left -= shortest);
      steps += shortest;
      List<Running> ended = now.stream().filter(row -> row.left == 0).toList();
      running.removeAll(ended);
      return ended;
    }

    /** The steps that rows take which are all at hand. */
    static long of(List<Integer> lengths) {
      Steps direct = new Steps();
      lengths.forEach(length -> direct.running.add(new Running(length, null)));
      while (!direct.running.isEmpty()) {
        direct.untilOneEnds();
      }
      return direct.steps;
    }
  }

  /**
   * Answers the rows of tasks step by step. It steps whenever all tasks wait, so that what is
   * counted does not depend on how fast they are.
   */
  private static final class SteppingEngine {
    private final List<Integer> lengths;
    private final int tasks;
    private final Steps steps = new Steps();
    private final Map<TaskContext, Thread> taskThreads = new HashMap<>();
    private int submitted;
    private int fewestWhileRowsWereLeft = Integer.MAX_VALUE;

    SteppingEngine(List<Integer> lengths, int tasks) {
      this.lengths = lengths;
      this.tasks = tasks;
    }

    synchronized CompletableFuture<GenerationResult> submit(GenerationRequest request) {
      taskThreads.put(TaskContext.get(), Thread.currentThread());
      String prompt = EchoGenerator.text(request);
      int row = Integer.parseInt(prompt.substring("prompt ".length()));
      Steps.Running running = new Steps.Running(lengths.get(row), answer(prompt));
      steps.running.add(running);
      submitted++;
      return running.result;
    }

    private static GenerationResult answer(String prompt) {
      return new GenerationResult(
          prompt + "x".repeat(1000),
          Optional.empty(),
          FinishReason.STOP,
          1,
          0,
          1,
          Optional.empty());
    }

    /** Steps until all rows have ended. */
    void run() {
      for (int ended = 0; ended < lengths.size(); ) {
        while (!allTasksWait()) {
          Thread.yield();
        }
        List<Steps.Running> rows;
        synchronized (this) {
          if (submitted < lengths.size()) {
            fewestWhileRowsWereLeft = Math.min(fewestWhileRowsWereLeft, steps.running.size());
          }
          rows = steps.untilOneEnds();
        }
        ended += rows.size();
        rows.forEach(row -> row.result.complete(row.answer));
      }
    }

    private synchronized boolean allTasksWait() {
      return taskThreads.size() == tasks
          && !steps.running.isEmpty()
          && taskThreads.entrySet().stream()
              .allMatch(task -> task.getKey().isCompleted() || waitsForResults(task.getValue()));
    }

    private static boolean waitsForResults(Thread thread) {
      return thread.getState() == Thread.State.WAITING
          && Arrays.stream(thread.getStackTrace())
              .anyMatch(frame -> frame.getClassName().equals(ResultInbox.class.getName()));
    }
  }

  /** Collects the metrics of tasks until so many have ended. */
  private static final class TaskEnds extends SparkListener {
    private final List<TaskMetrics> metrics = Collections.synchronizedList(new ArrayList<>());
    private final CountDownLatch ended;

    TaskEnds(int tasks) {
      ended = new CountDownLatch(tasks);
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd task) {
      metrics.add(task.taskMetrics());
      ended.countDown();
    }
  }

  /** Generates for all rows and checks order and results. */
  private TaskEnds generate(SteppingEngine engine) throws InterruptedException {
    SPARK.makeTable(ROWS, engine.tasks);
    generator.answerWith(engine::submit);
    TaskEnds ends = new TaskEnds(engine.tasks);
    SPARK.session().sparkContext().addSparkListener(ends);
    CompletableFuture<Void> stepping = CompletableFuture.runAsync(engine::run);
    List<Row> rows =
        SPARK.session().sql("select id, llm_generate_text(p) g from t").collectAsList();
    stepping.join();
    ends.ended.await();
    SPARK.session().sparkContext().removeSparkListener(ends);
    assertThat(rows).hasSize(ROWS);
    for (int row = 0; row < ROWS; row++) {
      assertThat(rows.get(row).getLong(0)).isEqualTo(row);
      assertThat(rows.get(row).getString(1)).isEqualTo("prompt " + row + "x".repeat(1000));
    }
    return ends;
  }

  /** With all rows at hand, an engine takes hardly fewer steps. */
  @ParameterizedTest
  @CsvSource({"LOG_NORMAL, 1", "LOG_NORMAL, 2", "ONE_IN_A_HUNDRED, 1", "ONE_IN_A_HUNDRED, 2"})
  void theEngineTakesNoMoreStepsThanWithAllRowsAtHand(Workload workload, long seed)
      throws InterruptedException {
    List<Integer> lengths = workload.lengths(seed);
    SteppingEngine engine = new SteppingEngine(lengths, 1);
    generate(engine);
    assertThat((double) engine.steps.steps / Steps.of(lengths)).isLessThanOrEqualTo(1.03);
  }

  /** Also where rows are few to a batch, two tasks share the engine, or memory is short. */
  @ParameterizedTest
  @CsvSource({"1, 64, 64m", "2, 64, 64m", "2, 1, 64m", "1, 64, 64k", "2, 7, 64k"})
  void theEngineRunsAllItCanWhileRowsAreLeft(int tasks, int batchRows, String bytes)
      throws InterruptedException {
    SPARK.set(Map.of("spark.mla.batch.rows", "" + batchRows, "spark.mla.window.bytes", bytes));
    SteppingEngine engine = new SteppingEngine(Workload.ONE_IN_A_HUNDRED.lengths(3), tasks);
    generate(engine);
    assertThat(engine.fewestWhileRowsWereLeft).isGreaterThanOrEqualTo(EchoGenerator.SEQUENCES);
  }

  /** What waits behind a row goes to disk, is read again in order, and leaves nothing behind. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void memoryIsBoundedThoughTheFirstRowEndsLast(int tasks) throws InterruptedException {
    long limit = 100 << 10;
    SPARK.set(Map.of("spark.mla.window.bytes", limit + "b"));
    List<Integer> lengths =
        IntStream.range(0, ROWS).mapToObj(row -> row == 0 ? 1_000_000 : 1 + row % 10).toList();
    TaskEnds ends = generate(new SteppingEngine(lengths, tasks));
    assertThat(ends.metrics)
        .allSatisfy(
            metrics -> assertThat(metrics.peakExecutionMemory()).isBetween(1L, limit + 2 * 2000));
    assertThat(ends.metrics)
        .anySatisfy(
            metrics -> {
              assertThat(metrics.memoryBytesSpilled()).isGreaterThan((ROWS / tasks - 200) * 1000L);
              assertThat(metrics.diskBytesSpilled()).isPositive();
            });
  }

  /** One row at a time always finds room. */
  @Test
  void noLimitIsTooSmall() throws InterruptedException {
    SPARK.set(Map.of("spark.mla.window.bytes", "1b"));
    generate(new SteppingEngine(Workload.LOG_NORMAL.lengths(4), 1));
  }
}
