package dev.sparkmla.sql.bench;

import dev.sparkmla.sql.MlaExtensions;
import java.io.IOException;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.util.ArrowUtils;

/**
 * {@code bin/bench operator}: what the operator costs beside the model. Rows with a prompt of 200
 * bytes go through {@code llm_generate} in {@code local[2]} to a sink that drops them; the backend
 * answers at once. The same rows without the call are timed beside it, and a further run is sampled
 * with the prompt alone to say where its time goes.
 */
public final class OperatorBenchmark {
  private static final int PROMPT_BYTES = 200;
  private static final int WARM_UPS = 3;

  private record Options(long rows, int runs) {}

  private OperatorBenchmark() {}

  /** Exits with 0 when the tables are complete, 2 for bad options. */
  public static void main(String[] arguments) throws IOException {
    Options options = parse(arguments);
    if (options == null) {
      System.err.println(
          "usage: bin/bench operator [--rows N, default 1000000] [--runs N, default 9]");
      System.exit(2);
      return;
    }
    try (SparkSession spark = session()) {
      run(spark, options);
    }
  }

  private static Options parse(String[] arguments) {
    long rows = 1_000_000;
    int runs = 9;
    for (int i = 0; i < arguments.length; i += 2) {
      if (i + 1 == arguments.length || !arguments[i + 1].matches("[1-9][0-9]{0,8}")) {
        return null;
      }
      int value = Integer.parseInt(arguments[i + 1]);
      switch (arguments[i]) {
        case "--rows" -> rows = value;
        case "--runs" -> runs = value;
        default -> {
          return null;
        }
      }
    }
    return new Options(rows, runs);
  }

  private static SparkSession session() {
    return SparkSession.builder()
        .master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.plugins", InstantPlugin.class.getName())
        .config("spark.sql.extensions", MlaExtensions.class.getName())
        .getOrCreate();
  }

  private static void run(SparkSession spark, Options options) throws IOException {
    spark.range(0, options.rows(), 1, 2).createOrReplaceTempView("ids");
    String prompt =
        "concat(lpad(cast(id as string), 20, '0'), repeat('p', %d))".formatted(PROMPT_BYTES - 20);
    String without = "select id, " + prompt + " p from ids";
    String with = "select id, p, llm_generate(p) g from (" + without + ")";
    String full =
        with.replace("(p)", "(p, map('max_tokens', '64', 'temperature', '0'), 'Be short.')");
    for (int i = 0; i < WARM_UPS; i++) {
      seconds(spark, without);
      seconds(spark, with);
      seconds(spark, full);
    }
    List<Double> bare = new ArrayList<>();
    List<Double> generating = new ArrayList<>();
    List<Double> parameterized = new ArrayList<>();
    for (int i = 0; i < options.runs(); i++) {
      bare.add(seconds(spark, without));
      generating.add(seconds(spark, with));
      parameterized.add(seconds(spark, full));
    }
    System.out.printf(
        "%nJava %s, %d processors, heap of at most %d MiB, %s.%n%n",
        Runtime.version(),
        Runtime.getRuntime().availableProcessors(),
        Runtime.getRuntime().maxMemory() >> 20,
        LocalDate.now(ZoneOffset.UTC));
    System.out.println("| query | best s | median s | best rows/s | median rows/s |");
    System.out.println("|---|---|---|---|---|");
    print("without the call", bare, options.rows());
    print("with `llm_generate(p)`", generating, options.rows());
    print("with two `params` and `system` too", parameterized, options.rows());
    System.out.printf(
        "%nArrow memory of both tasks at its peak: %d KiB.%n%n",
        ArrowUtils.rootAllocator().getPeakMemoryAllocation() >> 10);
    System.out.println("| where a sampled run's time goes | % |");
    System.out.println("|---|---|");
    try (StageSampler sampler = new StageSampler()) {
      seconds(spark, with);
      for (Map.Entry<String, Double> stage : sampler.shares().entrySet()) {
        System.out.printf(Locale.ROOT, "| %s | %.0f |%n", stage.getKey(), 100 * stage.getValue());
      }
    }
  }

  private static double seconds(SparkSession spark, String query) {
    long start = System.nanoTime();
    spark.sql(query).write().format("noop").mode("overwrite").save();
    return (System.nanoTime() - start) / 1e9;
  }

  private static void print(String name, List<Double> seconds, long rows) {
    List<Double> sorted = new ArrayList<>(seconds);
    Collections.sort(sorted);
    double best = sorted.get(0);
    double median = sorted.get(sorted.size() / 2);
    System.out.printf(
        Locale.ROOT,
        "| %s | %.2f | %.2f | %.0f | %.0f |%n",
        name,
        best,
        median,
        rows / best,
        rows / median);
  }
}
