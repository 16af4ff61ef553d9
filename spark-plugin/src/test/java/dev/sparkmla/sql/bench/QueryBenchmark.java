package dev.sparkmla.sql.bench;

import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.engine.Workload;
import dev.sparkmla.plugin.ExecutorEngine;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import dev.sparkmla.sql.MlaExtensions;
import dev.sparkmla.text.SpecialTokens;
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
import java.util.function.Function;
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
 * the same engines called directly with all of them at hand, in turn. Prompts are random words, new
 * ones in every run, so that none is cached. Tokens are drawn at temperature 1: the greedy text of
 * random parameters falls into loops, which few experts read.
 */
public final class QueryBenchmark {
  private static final String USAGE =
      """
      usage: bin/bench query [OPTION...]

        --model DIR       a model's folder (default jobs/demo-model/model)
        --backend NAME    cuda or cpu (default cpu)
        --devices LIST    GPUs, an engine on each, such as 0,1 (default the first)
        --workload LIST   as bin/bench generate takes it, such as 512x~4096+256: prompts have about
                          so many tokens (default two workloads of their own)
        --rows N          of each of these two (default 512)
        --scale N         what their lengths are multiplied by (default 1)
        --sequences N     that run at once on an engine (default 32)
        --step-tokens N   of a step at most (default as in a job: auto)
        --runs N          of each kind (default 5)
      """;

  private static final int WARM_UP_ROWS = 64;
  private static final StructType COLUMNS =
      new StructType()
          .add("prompt", DataTypes.StringType)
          .add("params", DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType));

  private static final class Options {
    private Path model = Path.of("jobs", "demo-model", "model");
    private String backend = "cpu";
    private String devices = "auto";
    private List<Workload> workload = List.of();
    private int rows = 512;
    private int scale = 1;
    private int sequences = 32;
    private String stepTokens = "auto";
    private int runs = 5;
  }

  /** A row: words of its prompt, and tokens to generate. */
  private record Length(int words, int newTokens) {}

  /** Rows that are generated together. */
  private record Load(String description, List<Length> lengths) {
    static Load drawn(String description, int rows, Function<Random, Length> next) {
      Random random = new Random(17);
      return new Load(
          description, IntStream.range(0, rows).mapToObj(row -> next.apply(random)).toList());
    }
  }

  /** One run. */
  private record Run(double seconds, int engines, EngineStatistics before, EngineStatistics after) {
    double steps() {
      return after.steps() - before.steps();
    }

    /** Of prompts and answers. */
    double tokens() {
      return after.promptTokens() - before.promptTokens() + outputTokens();
    }

    /** The part of the time in which an engine had something to compute, of all engines. */
    double work() {
      return (after.steppingNanos() - before.steppingNanos()) / 1e9 / seconds / engines;
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
          case "--devices" -> options.devices = value;
          case "--workload" -> options.workload = Workload.all(value);
          case "--step-tokens" -> options.stepTokens = value;
          case "--rows" -> options.rows = Integer.parseInt(value);
          case "--scale" -> options.scale = Integer.parseInt(value);
          case "--sequences" -> options.sequences = Integer.parseInt(value);
          case "--runs" -> options.runs = Integer.parseInt(value);
          default -> {
            return Optional.empty();
          }
        }
      }
    } catch (IndexOutOfBoundsException | IllegalArgumentException wrong) {
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
        .config("spark.mla.device", options.devices)
        .config("spark.mla.engine.maxSequences", options.sequences)
        .config("spark.mla.engine.maxBatchedTokens", options.stepTokens)
        .getOrCreate();
  }

  private void run() {
    System.out.printf(
        "%nJava %s, %d processors, %s, %s, %d sequences at once on each, %s.%n%n",
        Runtime.version(),
        Runtime.getRuntime().availableProcessors(),
        options.model,
        String.join(" and ", ExecutorEngine.current().generator().devices()),
        options.sequences,
        LocalDate.now(ZoneOffset.UTC));
    System.out.println(
        "| rows | | median s | over direct | tokens/s | steps | new tokens a step |"
            + " engines at work % |");
    System.out.println("|---|---|---|---|---|---|---|---|");
    for (Load load : loads()) {
      List<Length> few = load.lengths().subList(0, Math.min(WARM_UP_ROWS, load.lengths().size()));
      direct(few);
      query(few);
      List<Run> direct = new ArrayList<>();
      List<Run> query = new ArrayList<>();
      for (int i = 0; i < options.runs; i++) {
        direct.add(direct(load.lengths()));
        query.add(query(load.lengths()));
      }
      print(load.description(), "direct", direct, direct);
      print("", "llm_generate", query, direct);
    }
  }

  private List<Load> loads() {
    if (!options.workload.isEmpty()) {
      double tokens = tokensOfAWord();
      return options.workload.stream().map(load -> load(load, tokens)).toList();
    }
    int scale = options.scale;
    return List.of(
        Load.drawn(
            "log-normal: median 128 words, sigma 1, at most 1024; a quarter as many new tokens",
            options.rows,
            random -> {
              int words = (int) Math.min(1024, Math.ceil(128 * Math.exp(random.nextGaussian())));
              return new Length(words * scale, Math.max(1, words * scale / 4));
            }),
        Load.drawn(
            "32 words and 16 new tokens; 1 % of the rows 800 new tokens",
            options.rows,
            random -> new Length(32 * scale, (random.nextInt(100) == 0 ? 800 : 16) * scale)));
  }

  private static Load load(Workload load, double tokensOfAWord) {
    return new Load(
        load.name(),
        IntStream.range(0, load.size())
            .mapToObj(
                row ->
                    new Length(
                        (int) Math.max(1, Math.round(load.prompts().get(row) / tokensOfAWord)),
                        load.newTokens().get(row)))
            .toList());
  }

  /** The mean of many. */
  private double tokensOfAWord() {
    int sample = 10_000;
    try (ModelFolder folder = new ModelFolder(options.model)) {
      return (double)
              folder
                  .text()
                  .tokenizer()
                  .encode(prompt(new Length(sample, 1)), SpecialTokens.PLAIN_TEXT)
                  .length
          / sample;
    }
  }

  private static void print(String rows, String name, List<Run> runs, List<Run> direct) {
    System.out.printf(
        Locale.ROOT,
        "| %s | %s | %.2f | %.3f | %.0f | %.0f | %.1f | %.1f |%n",
        rows,
        name,
        median(runs, Run::seconds),
        median(direct, Run::seconds) / median(runs, Run::seconds),
        median(runs, run -> run.tokens() / run.seconds()),
        median(runs, Run::steps),
        median(runs, run -> run.outputTokens() / run.steps()),
        100 * median(runs, Run::work));
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
    return run(start, generator, before);
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
    Run run = run(start, generator, before);
    table.unpersist(true);
    return run;
  }

  private static Run run(long start, TextGenerator generator, EngineStatistics before) {
    return new Run(
        (System.nanoTime() - start) / 1e9,
        generator.devices().size(),
        before,
        generator.statistics());
  }

  private String prompt(Length length) {
    return IntStream.range(0, length.words())
        .mapToObj(word -> Integer.toString(words.nextInt(36 * 36), 36))
        .collect(Collectors.joining(" "));
  }

  private static Map<String, String> params(Length length) {
    String tokens = Integer.toString(length.newTokens());
    return Map.of("max_tokens", tokens, "min_tokens", tokens, "temperature", "1");
  }
}
