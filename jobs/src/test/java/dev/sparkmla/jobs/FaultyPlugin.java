package dev.sparkmla.jobs;

import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.DeviceLostException;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.apache.spark.SparkConf;
import org.apache.spark.api.plugin.PluginContext;

/** The plugin, with an engine or an echo in which one fault is injected after some batches. */
public final class FaultyPlugin extends MlaPlugin {
  /** What there is to answer: {@code echo} or {@code model}. */
  static final String ANSWERS = "spark.faulty.answers";

  /** How many batches are answered before the fault; unset for none. */
  static final String AFTER = "spark.faulty.after";

  /** On a cluster, executors of lower numbers have the fault; unset for all. */
  static final String EXECUTORS = "spark.faulty.executors";

  /** The fault, an {@link Action}. */
  static final String FAULT = "spark.faulty.fault";

  /** A file that the first batch makes. */
  static final String MARK = "spark.faulty.mark";

  /** In the environment of executors that load only when {@link #MARK} is there. */
  static final String LATE = "SPARK_MLA_FAULTY_LATE";

  /** Prompts that were asked in this JVM, for tests that run the job in theirs. */
  static final ConcurrentLinkedQueue<String> ASKED = new ConcurrentLinkedQueue<>();

  /** What happens at the fault. */
  enum Action {
    /** One batch fails. */
    FAIL,
    /** This process is killed by signal 9. */
    KILL,
    /** The process that started this one is, and then this one. */
    KILL_WORKER,
    /** This and all later batches fail, as after an error of the device. */
    LOSE_DEVICE,
    /** One batch takes so long that later ones end before it. */
    LATE,
    /** This and all later batches take a second each. */
    SLOW
  }

  @Override
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    SparkConf settings = context.conf();
    if (System.getenv(LATE) != null && settings.contains(MARK)) {
      awaitFile(Path.of(settings.get(MARK)));
    }
    TextGenerator generator =
        settings.get(ANSWERS, "echo").equals("echo")
            ? new EchoPlugin().open(conf, context)
            : super.open(conf, context);
    boolean isFaulty =
        context.executorID().equals("driver")
            || Integer.parseInt(context.executorID())
                < settings.getInt(EXECUTORS, Integer.MAX_VALUE);
    return new Faulty(
        generator,
        new AtomicInteger(isFaulty ? settings.getInt(AFTER, Integer.MAX_VALUE) : Integer.MAX_VALUE),
        Action.valueOf(settings.get(FAULT, Action.FAIL.name())),
        settings.get(MARK, ""));
  }

  /** Waits for what another process makes. */
  private static void awaitFile(Path file) {
    try {
      while (Files.notExists(file)) {
        TimeUnit.MILLISECONDS.sleep(20);
      }
    } catch (InterruptedException ended) {
      throw new IllegalStateException(ended);
    }
  }

  private record Faulty(TextGenerator generator, AtomicInteger left, Action action, String mark)
      implements TextGenerator {
    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      if (!mark.isEmpty()) {
        make(Path.of(mark));
      }
      int before = left.getAndDecrement();
      switch (action) {
        case FAIL -> {
          if (before == 0) {
            return failed(requests, new IllegalStateException("a fault was injected"));
          }
        }
        case KILL -> {
          if (before == 0) {
            kill(ProcessHandle.current());
          }
        }
        case KILL_WORKER -> {
          if (before == 0) {
            ProcessHandle.current().parent().ifPresent(Faulty::kill);
            kill(ProcessHandle.current());
          }
        }
        case LOSE_DEVICE -> {
          if (before <= 0) {
            return failed(
                requests,
                new EngineFailedException(new DeviceLostException("the device is lost", null)));
          }
        }
        case LATE -> {
          if (before == 0) {
            return answerAfter(3, requests, ended);
          }
        }
        case SLOW -> {
          if (before <= 0) {
            return answerAfter(1, requests, ended);
          }
        }
      }
      return answer(requests, ended);
    }

    private CompletableFuture<Void> answerAfter(
        int seconds, RequestBatch requests, Consumer<ResultBatch> ended) {
      return answer(requests, results -> after(seconds).execute(() -> deliver(ended, results)))
          .thenRunAsync(() -> {}, after(seconds + 1));
    }

    /** One at a time, as a generator has to. */
    private static void deliver(Consumer<ResultBatch> ended, ResultBatch results) {
      synchronized (ended) {
        ended.accept(results);
      }
    }

    private static Executor after(int seconds) {
      return CompletableFuture.delayedExecutor(seconds, TimeUnit.SECONDS);
    }

    private CompletableFuture<Void> answer(RequestBatch requests, Consumer<ResultBatch> ended) {
      for (int row = 0; row < requests.rows(); row++) {
        requests
            .request(row)
            .ifPresent(
                request -> {
                  if (request.prompt() instanceof Prompt.Raw raw) {
                    ASKED.add(raw.text());
                  }
                });
      }
      return generator.submit(requests, ended);
    }

    @Override
    public int maxSequences() {
      return generator.maxSequences();
    }

    private static CompletableFuture<Void> failed(RequestBatch requests, Exception fault) {
      requests.close();
      return CompletableFuture.failedFuture(fault);
    }

    private static void make(Path file) {
      try {
        Files.createFile(file);
      } catch (FileAlreadyExistsException before) {
        // It is there.
      } catch (IOException problem) {
        throw new UncheckedIOException(problem);
      }
    }

    private static void kill(ProcessHandle process) {
      try {
        new ProcessBuilder(List.of("kill", "-9", Long.toString(process.pid()))).start().waitFor();
      } catch (IOException | InterruptedException impossible) {
        throw new IllegalStateException(impossible);
      }
    }

    @Override
    public EngineStatistics statistics() {
      return generator.statistics();
    }

    @Override
    public void close() {
      generator.close();
    }
  }
}
