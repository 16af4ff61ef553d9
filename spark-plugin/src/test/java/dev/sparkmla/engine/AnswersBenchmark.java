package dev.sparkmla.engine;

import com.sun.management.OperatingSystemMXBean;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.model.CacheSize;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;

/**
 * {@code bin/bench answers [--rows N]}, from the repository's root: rows through an engine with the
 * demo model on the processor, with a response format and without. Each row of both has the same
 * short prompt and generates as many tokens; the runs take turns. Times are those of the
 * processors, which other work on the machine does not change.
 */
public final class AnswersBenchmark {
  private static final Path MODEL = Path.of("jobs", "demo-model", "model");
  private static final int USUAL_ROWS = 1_000;
  private static final int TOKENS = 16;
  private static final int WARM_UP_ROWS = 100;
  private static final int RUNS = 3;

  /** Its text is longer than the tokens, so that no answer ends before them. */
  private static final String FORMAT =
      "{\"type\": \"object\", \"properties\": {\"facts\": {\"type\": \"array\", \"items\":"
          + " {\"type\": \"string\", \"minLength\": 20, \"maxLength\": 30}, \"minItems\": 100}},"
          + " \"required\": [\"facts\"]}";

  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private AnswersBenchmark() {}

  /** Prints the table. */
  public static void main(String[] arguments) {
    int rows =
        arguments.length == 2 && arguments[0].equals("--rows")
            ? Integer.parseInt(arguments[1])
            : USUAL_ROWS;
    double[] free = new double[RUNS];
    double[] constrained = new double[RUNS];
    try (ComputeBackend backend = ComputeBackends.cpu(Runtime.getRuntime().availableProcessors());
        ModelFolder folder = new ModelFolder(MODEL);
        GenerationEngine engine =
            GenerationEngine.open(
                folder, backend, new EngineOptions(512, 64, new CacheSize.Blocks(256), TOKENS));
        BufferAllocator memory = new RootAllocator()) {
      rate(engine, memory, WARM_UP_ROWS, Optional.empty());
      rate(engine, memory, WARM_UP_ROWS, Optional.of(FORMAT));
      for (int run = 0; run < RUNS; run++) {
        free[run] = rate(engine, memory, rows, Optional.empty());
        constrained[run] = rate(engine, memory, rows, Optional.of(FORMAT));
        System.err.printf(
            Locale.ROOT, "%d: %.2f and %.2f rows/s%n", run, free[run], constrained[run]);
      }
    }
    double[] ratios = IntStream.range(0, RUNS).mapToDouble(i -> constrained[i] / free[i]).toArray();
    System.out.printf(
        Locale.ROOT,
        "%n%d rows of %d tokens, %d processors, Java %s, %s.%n%n",
        rows,
        TOKENS,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        LocalDate.now(ZoneOffset.UTC));
    System.out.println("| rows in a second of a processor | least | median | most |");
    System.out.println("|---|---|---|---|");
    print("without", free);
    print("with a response format", constrained);
    print("with / without, of two runs after each other", ratios);
  }

  /** Rows in a second of a processor. */
  private static double rate(
      GenerationEngine engine, BufferAllocator memory, int rows, Optional<String> format) {
    long start = SYSTEM.getProcessCpuTime();
    List<CompletableFuture<GenerationResult>> results =
        IntStream.range(0, rows)
            .mapToObj(row -> Batches.submit(engine::submit, memory, request(row, format)))
            .toList();
    for (CompletableFuture<GenerationResult> result : results) {
      if (result.join().outputTokens() != TOKENS) {
        throw new IllegalStateException(result.join() + ": expected " + TOKENS + " tokens");
      }
    }
    return rows / ((SYSTEM.getProcessCpuTime() - start) / 1e9);
  }

  private static GenerationRequest request(int row, Optional<String> format) {
    Map<String, String> params =
        format
            .map(text -> Map.of("temperature", "1", "response_format", text))
            .orElse(Map.of("temperature", "1", "ignore_eos", "true"));
    return new GenerationRequest(
        new Prompt.Raw("Archive " + row + " was founded in "),
        Optional.empty(),
        params,
        OverflowPolicy.ERROR);
  }

  private static void print(String name, double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    System.out.printf(
        Locale.ROOT,
        "| %s | %.2f | %.2f | %.2f |%n",
        name,
        sorted[0],
        sorted[RUNS / 2],
        sorted[RUNS - 1]);
  }
}
