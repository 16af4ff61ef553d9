package dev.sparkmla.jobs;

import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
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

  /** {@code fail} fails the batch, {@code kill} kills this process by signal 9. */
  static final String FAULT = "spark.faulty.fault";

  /** Prompts that were asked in this JVM, for tests that run the job in theirs. */
  static final ConcurrentLinkedQueue<String> ASKED = new ConcurrentLinkedQueue<>();

  @Override
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    SparkConf settings = context.conf();
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
        settings.get(FAULT, "fail").equals("kill"));
  }

  private record Faulty(TextGenerator generator, AtomicInteger left, boolean kills)
      implements TextGenerator {
    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      if (left.getAndDecrement() == 0) {
        if (kills) {
          killThisProcess();
        }
        requests.close();
        return CompletableFuture.failedFuture(new IllegalStateException("a fault was injected"));
      }
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

    private static void killThisProcess() {
      String process = Long.toString(ProcessHandle.current().pid());
      try {
        new ProcessBuilder(List.of("kill", "-9", process)).start().waitFor();
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
