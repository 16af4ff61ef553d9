package dev.sparkmla.sql.bench;

import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.ExecutorEngine;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import dev.sparkmla.sql.MlaExtensions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/**
 * {@code bin/bench query}: how well the operator keeps the engine busy. Rows of very different
 * lengths go through {@code llm_generate} in {@code local[2]}, and rows of the same lengths through
 * the same engine called directly with all of them at hand, in turn. Prompts are random words, new
 * ones in every run, so that none is cached.
 */
public final class QueryBenchmark {
  private static final String USAGE =
      """
      usage: bin/bench query [OPTION...]

        --model DIR       a model's folder (default jobs/demo-model/model)
        --backend NAME    cuda or cpu (default cpu)
        --rows N          of each workload (default 512)
        --scale N         what the lengths are multiplied by (default 1)
        --sequences N     that run at once (default 32)
        --runs N          of each kind (default 5)
      """;

  private static final StructType COLUMNS =
      new StructType()
          .add("prompt", DataTypes.StringType)
          .add("params", DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType));

  private static final class Options {
    private Path model = Path.of("jobs", "demo-model", "model");
    private String backend = "cpu";
    private int rows = 512;
    private int scale = 1;
    private int sequences = 32;
    private int runs = 5;
  }

  /** A row: words of its prompt, and tokens to generate. */
  private record Length(int words, int newTokens) {}

  private enum Workload {
    LOG_NORMAL(
        "log-normal: median 128 words, sigma 1, at most 1024; a quarter as many new tokens") {
      @Override
      Length next(Random random, int scale) {
        int words = (int) Math.min(1024, Math.ceil(128 * Math.exp(random.nextGaussian())));
        return new Length(words * scale, Math.max(1, words * scale / 4));
      }
    },
    ONE_IN_A_HUNDRED("32 words and 16 new tokens; 1 % of the rows 800 new tokens") {
      @Override
      Length next(Random random, int scale) {
        return new Length(32 * scale, (random.nextInt(100) == 0 ? 800 : 16) * scale);
      }
    };

    private final String description;

    Workload(String description) {
      this.description = description;
    }

    abstract Length next(Random random, int scale);
  }

  /** One run. */
  private record Run(double seconds, EngineStatistics before, EngineStatistics after) {
    double steps() {
      return after.steps() - before.steps();
    }

    double outputTokens() {
      return after.outputTokens() - before.outputTokens();
    }
  }

  private final Options options;
  private final SparkSession spark;
  private final Random words = new Random(1);

  private QueryBenchmark(Options options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /** Exits with 0 when the table is complete, 2 for bad options. */
  public static void main(String[] arguments) throws IOException {
    Optional<Options> options = parse(arguments);
    if (options.isEmpty()) {
      System.err.print(USAGE);
      System.exit(2);
    }
    try (SparkSession spark = session(options.get())) {
      new QueryBenchmark(options.get(), spark).run();
    }
  }

  private static Optional<Options> parse(String[] arguments) {
    Options options = new Options();
    try {
      for (int i = 0; i < arguments.length; i += 2) {
        String value = arguments[i + 1];
        switch (arguments[i]) {
          case "--model" -> options.model = Path.of(value);
          case "--backend" -> options.backend = value;
          case "--rows" -> options.rows = Integer.parseInt(value);
          case "--scale" -> options.scale = Integer.parseInt(value);
          case "--sequences" -> options.sequences = Integer.parseInt(value);
          case "--runs" -> options.runs = Integer.parseInt(value);
          default -> {
            return Optional.empty();
          }
        }
      }
    } catch (IndexOutOfBoundsException | NumberFormatException wrong) {
      return Optional.empty();
    }
    return Optional.of(options);
  }

  private static SparkSession session(Options options) {
    return SparkSession.builder()
        .master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.plugins", MlaPlugin.class.getName())
        .config("spark.sql.extensions", MlaExtensions.class.getName())
        .config("spark.mla.model.path", options.model.toAbsolutePath().toString())
        .config("spark.mla.backend", options.backend)
        .config("spark.mla.engine.maxSequences", options.sequences)
        .getOrCreate();
  }

  private void run() {
    System.out.printf(
        "%nJava %s, %d processors, %s, %d sequences at once, %d rows, %s.%n%n",
        Runtime.version(),
        Runtime.getRuntime().availableProcessors(),
        options.backend,
        options.sequences,
        options.rows,
        LocalDate.now(ZoneOffset.UTC));
    System.out.println("| rows | | median s | over direct | steps | new tokens a step |");
    System.out.println("|---|---|---|---|---|---|");
    for (Workload workload : Workload.values()) {
      Random random = new Random(17);
      List<Length> lengths =
          IntStream.range(0, options.rows)
              .mapToObj(row -> workload.next(random, options.scale))
              .toList();
      direct(lengths);
      query(lengths);
      List<Run> direct = new ArrayList<>();
      List<Run> query = new ArrayList<>();
      for (int i = 0; i < options.runs; i++) {
        direct.add(direct(lengths));
        query.add(query(lengths));
      }
      print(workload.description, "direct", direct, direct);
      print("", "llm_generate", query, direct);
    }
  }

  private static void print(String rows, String name, List<Run> runs, List<Run> direct) {
    System.out.printf(
        Locale.ROOT,
        "| %s | %s | %.2f | %.3f | %.0f | %.1f |%n",
        rows,
        name,
        median(runs, Run::seconds),
        median(direct, Run::seconds) / median(runs, Run::seconds),
        median(runs, Run::steps),
        median(runs, run -> run.outputTokens() / run.steps()));
  }

  private static double median(List<Run> runs, ToDoubleFunction<Run> figure) {
    return runs.stream()
        .mapToDouble(figure)
        .sorted()
        .skip(runs.size() / 2)
        .findFirst()
        .orElseThrow();
  }

  private Run direct(List<Length> lengths) {
    List<GenerationRequest> requests =
        lengths.stream()
            .map(
                length ->
                    new GenerationRequest(
                        new Prompt.Raw(prompt(length)),
                        Optional.empty(),
                        params(length),
                        OverflowPolicy.ERROR))
            .toList();
    TextGenerator generator = ExecutorEngine.current().generator();
    EngineStatistics before = generator.statistics();
    long start = System.nanoTime();
    generator.submit(Batches.of(ArrowUtils.rootAllocator(), requests), ResultBatch::close).join();
    return new Run((System.nanoTime() - start) / 1e9, before, generator.statistics());
  }

  private Run query(List<Length> lengths) {
    List<Row> rows =
        lengths.stream().map(length -> RowFactory.create(prompt(length), params(length))).toList();
    Dataset<Row> table = spark.createDataFrame(rows, COLUMNS).repartition(2).cache();
    table.count();
    TextGenerator generator = ExecutorEngine.current().generator();
    EngineStatistics before = generator.statistics();
    long start = System.nanoTime();
    table
        .selectExpr("llm_generate(prompt, params) g")
        .write()
        .format("noop")
        .mode("overwrite")
        .save();
    Run run = new Run((System.nanoTime() - start) / 1e9, before, generator.statistics());
    table.unpersist(true);
    return run;
  }

  private String prompt(Length length) {
    return IntStream.range(0, length.words())
        .mapToObj(word -> Integer.toString(words.nextInt(36 * 36), 36))
        .collect(Collectors.joining(" "));
  }

  private static Map<String, String> params(Length length) {
    String tokens = Integer.toString(length.newTokens());
    return Map.of("max_tokens", tokens, "min_tokens", tokens, "temperature", "0");
  }
}
