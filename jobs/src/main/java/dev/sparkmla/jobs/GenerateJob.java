package dev.sparkmla.jobs;

import dev.sparkmla.engine.GenerationParameters;
import dev.sparkmla.engine.InvalidParameterException;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.jobs.input.Documents;
import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.jobs.input.InputFormat;
import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.output.Output;
import dev.sparkmla.jobs.output.OutputFormat;
import dev.sparkmla.metrics.GenerationStore;
import dev.sparkmla.plugin.ApplicationModel;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.ModelLoading;
import dev.sparkmla.sql.LlmOptions;
import dev.sparkmla.sql.answer.AnswerFormat;
import dev.sparkmla.ui.GenerationSections;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;
import scala.Tuple2;

/**
 * A file of documents becomes a file of completions: the main class for spark-submit.
 *
 * <p>Exit codes: 0 when every row was written, in error or not; 1 when the job failed, or the demo
 * answered worse than it should; 2 when the command line is wrong.
 */
@Command(
    name = "generate",
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = "Continues or answers every document of a file with an MLA model, inside Spark.")
public final class GenerateJob implements Callable<Integer> {
  private static final int SHOWN_ERRORS = 5;

  private final PrintStream out;
  private final PrintStream err;

  @Spec private CommandSpec spec;
  @Mixin private GenerateOptions options;

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = "--help",
      converter = OptionValue.Flag.class,
      usageHelp = true,
      description = "Print this.")
  private boolean help;

  private GenerateJob(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** Runs the job; ends the JVM when it failed. */
  public static void main(String[] arguments) {
    int code = run(System.out, System.err, arguments);
    if (code != 0) {
      System.exit(code);
    }
  }

  /**
   * Runs the job in a Spark application of its own.
   *
   * @param out gets the summary and the demo's table
   * @param err gets progress and errors
   * @return the exit code
   */
  static int run(PrintStream out, PrintStream err, String... arguments) {
    return new CommandLine(new GenerateJob(out, err))
        .setExpandAtFiles(false) // A text may begin with @.
        .setOut(new PrintWriter(out, true, Charset.defaultCharset()))
        .setErr(new PrintWriter(err, true, Charset.defaultCharset()))
        .setParameterExceptionHandler(GenerateJob::printUsageError)
        .setExecutionExceptionHandler(GenerateJob::printFailure)
        .execute(arguments);
  }

  @Override
  public Integer call() {
    check();
    TemporaryFolder.requireExecutable();
    try (EmbeddedFiles embedded = new EmbeddedFiles()) {
      return generate(embedded);
    }
  }

  private void check() {
    if (options.conf.keySet().stream().anyMatch(String::isBlank)) {
      throw usageError("a --conf has no key before its =; expected KEY=VALUE");
    }
    if (options.resume && options.force) {
      throw usageError("--resume goes on with an unfinished output, --force deletes it: give one");
    }
    if (options.output.isPresent() && options.outputTable.isPresent()) {
      throw usageError("--output and --output-table are both given; an output is at one place");
    }
    if (options.input.isPresent() && options.output.isEmpty() && options.outputTable.isEmpty()) {
      throw usageError(
          "--input needs an --output or an --output-table; without all of them, the demo runs on"
              + " its own documents");
    }
    if (options.outputTable.isPresent() != options.checkpoint.isPresent()) {
      throw usageError(
          "--output-table and --checkpoint go together: rows are kept in the checkpoint until all"
              + " of them are added to the table");
    }
    if (options.tableFormat.isPresent() && options.outputTable.isEmpty()) {
      throw usageError("--table-format is for an --output-table");
    }
    List<String> partitions =
        options.partitionBy.stream().map(name -> name.toLowerCase(Locale.ROOT)).toList();
    if (partitions.stream().anyMatch(String::isBlank)
        || Set.copyOf(partitions).size() < partitions.size()) {
      throw usageError(
          "--partition-by '"
              + String.join(",", options.partitionBy)
              + "' has a name that is empty or there twice; expected columns of the output, separated"
              + " by commas without blanks");
    }
    if (options.outputFormat == OutputFormat.JSON
        && (options.outputTable.isPresent() || !options.partitionBy.isEmpty())) {
      throw usageError(
          "--output-table and --partition-by need columns, which --output-format json does not"
              + " make; leave it away");
    }
    if (options.seed.isPresent() && options.seedColumn.isPresent()) {
      throw usageError("--seed and --seed-column are both given; a row has one seed");
    }
    if (options.gpuHourPrice.isPresent() && options.report.isEmpty()) {
      throw usageError("--gpu-hour-price is for the page that --report writes");
    }
    try {
      Map<String, String> params = options.params();
      options
          .answerFormat()
          .flatMap(written -> AnswerFormat.parse(written).format())
          .ifPresent(format -> params.put(GenerationParameters.RESPONSE_FORMAT.name(), format));
      GenerationParameters.parse(params).responseFormat();
    } catch (InvalidParameterException | InvalidResponseFormatException | JobException wrong) {
      throw usageError(wrong.getMessage());
    }
  }

  private int generate(EmbeddedFiles embedded) {
    SparkConf conf = Application.conf(options, embedded);
    Configuration files = SparkHadoopUtil.get().newConfiguration(conf);
    InputFiles input =
        InputFiles.find(options.input.orElseGet(() -> "file://" + embedded.documents()), files);
    InputFormat format = input.format(options.inputFormat);
    try (Output output =
        Output.open(options.destination(files), options.existing(), settings(conf), input)) {
      if (output.isFinished()) {
        output.requireRows(() -> Application.startWithoutModel(conf));
        out.printf(Locale.ROOT, "%s is finished already: %,d rows%n", output, output.rows());
        return 0;
      }
      Optional<ReportFile> report = options.report.map(name -> ReportFile.create(name, files));
      return generate(conf, output, input, format, report);
    }
  }

  private int generate(
      SparkConf conf,
      Output output,
      InputFiles input,
      InputFormat format,
      Optional<ReportFile> report) {
    err.println("loading the model: " + ApplicationModel.name(conf).orElseThrow());
    try (StatusLine status = new StatusLine(err, StatusLine.inTerminal())) {
      status.show(ModelLoading::describe);
      SparkSession spark = Application.start(conf);
      try {
        output.repeatDelivery(spark);
        if (output.isFinished()) {
          status.close();
          out.printf(
              Locale.ROOT,
              "wrote %s: %,d rows, generated by an earlier run%n",
              output,
              output.rows());
          report.ifPresent(
              file ->
                  file.writeSentence(
                      "This run added rows to "
                          + output
                          + " that an earlier run had generated. It generated none itself, so there"
                          + " is nothing to report."));
          return 0;
        }
        Results results = Results.of(spark, options.call(), options.outputPrefix);
        Documents documents =
            Documents.open(spark, input, format, options.reading(results.names()));
        results.refuseCollisions(documents.columns());
        Optional<String> key = key(documents, input);
        GenerationRun generation =
            new GenerationRun(
                spark,
                documents,
                new NumberedRows(documents, output.files()),
                call(documents, input),
                results,
                options.outputFormat,
                output);
        Summary summary = generation.run(options.slices(), status);
        status.close();
        // Where the rows go, their slices may not be kept.
        List<String> errors = errors(spark, results, output.undelivered(), key);
        List<Row> answers = answersOfDemo(spark, results, output.undelivered());
        generation.deliver();
        out.println("wrote " + output);
        summary.print(out);
        errors.forEach(error -> out.println("  " + error));
        report.ifPresent(
            file -> {
              file.write(report(spark, output.toString(), summary, errors).html());
              out.println("the report is in " + file);
            });
        return options.isDemo() ? showDemo(answers, results) : 0;
      } catch (Exception failed) { // Scala does not declare what it throws.
        status.close();
        output.kept().ifPresent(err::println);
        throw failed;
      } finally {
        spark.stop();
      }
    }
  }

  /** The call's options, with the seeds of their column. */
  private LlmOptions call(Documents documents, InputFiles input) {
    return options
        .seedColumn
        .map(name -> Documents.column(documents.columns(), name, input))
        // An empty cell of a CSV file is a text; it says no seed.
        .map(column -> functions.nullif(documents.value(column), functions.lit("")))
        .map(seeds -> options.call().withParam("seed", seeds))
        .orElse(options.call());
  }

  /** What decides on a row's results, by the names that a person knows. */
  private Map<String, String> settings(SparkConf conf) {
    Map<String, String> settings = GenerateOptions.ofResults(spec.options());
    options.answerFormat().ifPresent(format -> settings.put("the answers' format", format));
    String version = GenerateJob.class.getPackage().getImplementationVersion();
    settings.put("the version of Spark MLA", version == null ? "unpackaged" : version);
    if (conf.contains(MlaConf.BACKEND.key())) {
      // However it was named and spelled.
      settings.put("--backend", conf.get(MlaConf.BACKEND.key()).toLowerCase(Locale.ROOT));
    }
    String maxTokens = MlaConf.MAX_TOKENS.key();
    if (conf.contains(maxTokens)) {
      settings.put(maxTokens, conf.get(maxTokens));
    }
    return settings;
  }

  private Optional<String> key(Documents documents, InputFiles input) {
    return options
        .keyColumn
        .map(name -> Documents.column(documents.columns(), name, input))
        .or(
            () ->
                documents.columns().stream().filter(GenerateOptions.USUAL_KEY::equals).findFirst());
  }

  /** The first rows in error, a line each. */
  private List<String> errors(
      SparkSession spark, Results results, List<String> slices, Optional<String> key) {
    return results
        .read(spark, slices, options.outputFormat, key.stream().toList())
        .filter(Documents.named(results.name("error_code")).isNotNull())
        // Slices sort as their rows do, and ids as the rows of a file's block.
        .orderBy(
            functions.input_file_name(),
            functions.expr("input_file_block_start()"),
            functions.monotonically_increasing_id())
        .limit(SHOWN_ERRORS)
        .collectAsList()
        .stream()
        .map(
            row ->
                key.map(row::<String>getAs).orElse("a row")
                    + ": "
                    + row.getAs(results.name("error_code"))
                    + ": "
                    + row.getAs(results.name("error_message")))
        .toList();
  }

  private Report report(SparkSession spark, String output, Summary summary, List<String> errors) {
    SparkContext context = spark.sparkContext();
    try {
      context.listenerBus().waitUntilEmpty();
    } catch (TimeoutException busy) {
      err.println("generate: the report may lack what was done last: " + busy.getMessage());
    }
    GenerationStore store = new GenerationStore(context.statusStore().store());
    return new Report(
        output,
        Instant.now(),
        summary,
        errors,
        GenerationSections.of(store),
        reported(context.conf()),
        store.gpuTime(Instant.now()),
        options.gpuHourPrice);
  }

  /** What a reader of the report asks for: what was asked for, and where it ran. */
  private Map<String, String> reported(SparkConf conf) {
    Map<String, String> settings = settings(conf);
    settings.putAll(GenerateOptions.ofReport(spec.options()));
    settings.putIfAbsent("--input", "the demo's documents");
    settings.put("spark.master", conf.get("spark.master"));
    for (Tuple2<String, String> own : conf.getAllWithPrefix(MlaConf.PREFIX)) {
      settings.put(MlaConf.PREFIX + own._1(), own._2());
    }
    if (EmbeddedFiles.MODEL_NAME.equals(settings.get(MlaConf.MODEL_NAME.key()))) {
      settings.remove(MlaConf.MODEL_PATH.key()); // a folder that is deleted when the job ends
    }
    return settings;
  }

  private List<Row> answersOfDemo(SparkSession spark, Results results, List<String> slices) {
    return options.isDemo()
        ? results
            .read(spark, slices, options.outputFormat, Demo.COLUMNS)
            .orderBy("id")
            .collectAsList()
        : List.of();
  }

  private int showDemo(List<Row> answers, Results results) {
    Demo demo = Demo.show(answers, results, out);
    out.println(demo);
    if (!demo.isFine()) {
      err.println("generate: the demo model answers worse than it should: something is wrong");
    }
    return demo.isFine() ? 0 : 1;
  }

  private ParameterException usageError(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private static int printUsageError(ParameterException wrong, String[] arguments) {
    PrintWriter err = wrong.getCommandLine().getErr();
    err.println(
        "generate: "
            + (wrong instanceof UnmatchedArgumentException unmatched
                ? problem(unmatched)
                : wrong.getMessage()));
    err.println("generate --help says what there is");
    return CommandLine.ExitCode.USAGE;
  }

  /** Picocli's own message counts the value of an unknown option among the unknown options. */
  private static String problem(UnmatchedArgumentException unmatched) {
    String first = unmatched.getUnmatched().get(0);
    if (!unmatched.isUnknownOption()) {
      return "'" + first + "' belongs to no option; a value with blanks stands in quotation marks";
    }
    String option = first.replaceFirst("=.*", "");
    if (unmatched.getCommandLine().getCommandSpec().findOption(option) != null) {
      return "after --, " + option + " is no option; leave -- away";
    }
    List<String> alike = unmatched.getSuggestions();
    return "there is no option "
        + option
        + (alike.isEmpty() ? "" : "; did you mean " + String.join(" or ", alike) + "?");
  }

  private static int printFailure(
      Exception failure, CommandLine commandLine, CommandLine.ParseResult parsed) {
    PrintWriter err = commandLine.getErr();
    Optional<String> message = FailureMessage.of(failure);
    err.println("generate: " + message.orElse("the job failed"));
    if (message.isEmpty()) {
      failure.printStackTrace(err);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }
}
