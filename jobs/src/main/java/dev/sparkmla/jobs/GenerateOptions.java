package dev.sparkmla.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.jobs.input.InputFormat;
import dev.sparkmla.jobs.input.ReadOptions;
import dev.sparkmla.jobs.output.Destination;
import dev.sparkmla.jobs.output.Output;
import dev.sparkmla.jobs.output.OutputFormat;
import dev.sparkmla.jobs.output.SliceLimits;
import dev.sparkmla.jobs.output.TableFormat;
import dev.sparkmla.plugin.BackendChoice;
import dev.sparkmla.sql.LlmOptions;
import dev.sparkmla.sql.OnError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

/** The command line. Picocli fills it; nobody writes to it afterwards. */
final class GenerateOptions {
  /** The column that names rows in messages, where there is one and no other is said. */
  static final String USUAL_KEY = "id";

  private static final int MOST_COLUMNS = 10_000;

  /**
   * Options with which a job may be resumed that began with others. Input, model and the answers'
   * format are compared by what they hold.
   */
  private static final Set<String> NOT_OF_RESULTS =
      Set.of(
          "--input",
          "--output",
          "--checkpoint",
          "--table-format",
          "--overwrite",
          "--resume",
          "--force",
          "--slice-rows",
          "--slice-seconds",
          "--model",
          "--key-column",
          "--response-format",
          "--on-error",
          "--report",
          "--gpu-hour-price",
          "--master",
          "--conf",
          "--help");

  /** Options that a report shows as settings of Spark, and those that say nothing of the rows. */
  private static final Set<String> NOT_OF_REPORT =
      Set.of("--model", "--master", "--conf", "--report", "--help");

  @Option(
      names = "--input",
      paramLabel = "PATH",
      converter = OptionValue.Name.class,
      description =
          "File, folder or glob of documents. Without it, the demo runs on documents of its own.")
  Optional<String> input = Optional.empty();

  @Option(
      names = "--output",
      paramLabel = "PATH",
      converter = OptionValue.Name.class,
      description = "Folder to write the completions to. Default for the demo: output/demo.")
  Optional<String> output = Optional.empty();

  @Option(
      names = "--output-table",
      paramLabel = "NAME",
      converter = OptionValue.Name.class,
      description =
          "Table of a catalog to add the completions to, instead of a folder: Delta Lake or"
              + " Iceberg. All rows of a run are added in one transaction, at its end.")
  Optional<String> outputTable = Optional.empty();

  @Option(
      names = "--checkpoint",
      paramLabel = "PATH",
      converter = OptionValue.Name.class,
      description =
          "Folder for what is generated until it is added to --output-table, and for what has been"
              + " added. Of one table and one input.")
  Optional<String> checkpoint = Optional.empty();

  @Option(
      names = "--table-format",
      paramLabel = "FORMAT",
      converter = Choice.OfTableFormat.class,
      description = "delta or iceberg: makes --output-table where it is not there yet.")
  Optional<TableFormat> tableFormat = Optional.empty();

  @Option(
      names = "--partition-by",
      paramLabel = "NAMES",
      split = ",",
      description =
          "Columns, separated by commas, by whose values a folder's files lie in folders named"
              + " column=value, and a new table is partitioned.")
  List<String> partitionBy = new ArrayList<>();

  @Option(
      names = "--input-format",
      paramLabel = "FORMAT",
      converter = Choice.OfInputFormat.class,
      description =
          "json (an object a line), parquet, csv (with a header) or text (a document a line)."
              + " Default: as the file's name ends.")
  Optional<InputFormat> inputFormat = Optional.empty();

  @Option(
      names = "--output-format",
      paramLabel = "FORMAT",
      converter = Choice.OfOutputFormat.class,
      defaultValue = "parquet",
      description = "parquet or json. Default: ${DEFAULT-VALUE}.")
  OutputFormat outputFormat = OutputFormat.PARQUET;

  @Option(
      names = "--output-prefix",
      paramLabel = "PREFIX",
      defaultValue = "",
      description =
          "Goes before the names of the generated columns, for an input that has a column of such a"
              + " name itself.")
  String outputPrefix = "";

  @Option(
      names = "--overwrite",
      converter = OptionValue.Flag.class,
      description = "Replace what is at --output, or all rows of --output-table.")
  boolean overwrite;

  @Option(
      names = "--resume",
      converter = OptionValue.Flag.class,
      description =
          "Go on with an output that a job has left unfinished, or add what new files of the input"
              + " hold to a finished one. Nothing that is there is generated again.")
  boolean resume;

  @Option(
      names = "--force",
      converter = OptionValue.Flag.class,
      description = "Delete an output that a job has left unfinished, and start over.")
  boolean force;

  @Option(
      names = "--slice-rows",
      paramLabel = "N",
      converter = OptionValue.Count.class,
      defaultValue = "10000",
      description =
          "Rows after which a task commits what it has generated. Default: ${DEFAULT-VALUE}.")
  int sliceRows = 10_000;

  @Option(
      names = "--slice-seconds",
      paramLabel = "N",
      converter = OptionValue.Count.class,
      defaultValue = "120",
      description =
          "Seconds after which a task commits what it has generated. Default: ${DEFAULT-VALUE}.")
  int sliceSeconds = 120;

  @Option(
      names = "--model",
      paramLabel = "MODEL",
      converter = OptionValue.Name.class,
      description =
          "A Hugging Face model folder: its path on every executor, its URI (hdfs://, s3a://, ...),"
              + " or its id, downloaded on every executor's host. Default: spark.mla.model.path,"
              + " else the embedded demo model.")
  Optional<String> model = Optional.empty();

  @Option(
      names = "--prompt-column",
      paramLabel = "NAME",
      converter = OptionValue.Name.class,
      defaultValue = "prompt",
      description = "Text, or a list of messages with role and content. Default: ${DEFAULT-VALUE}.")
  String promptColumn = "prompt";

  @Option(
      names = "--prompt-as-text",
      converter = OptionValue.Flag.class,
      description =
          "Continue a prompt that is no text as its JSON text. Without it, a number, a boolean or"
              + " an object is a row in error, and a list is a conversation.")
  boolean promptAsText;

  @Option(
      names = "--key-column",
      paramLabel = "NAME",
      converter = OptionValue.Name.class,
      description = "Names rows in messages. Default: id, where there is one.")
  Optional<String> keyColumn = Optional.empty();

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description =
          "Tokens to generate for a row at most, or auto: what the context window and the cache"
              + " have room for after the prompt.")
  Optional<String> maxTokens = Optional.empty();

  @Option(names = "--temperature", paramLabel = "T", description = "0 takes the likeliest token.")
  Optional<String> temperature = Optional.empty();

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Sample among the likeliest tokens that make up this probability together.")
  Optional<String> topP = Optional.empty();

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Sample among this many likeliest tokens; 0 is all.")
  Optional<String> topK = Optional.empty();

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Sample among tokens with at least this part of the likeliest one's probability.")
  Optional<String> minP = Optional.empty();

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      description = "Above 1, tokens of prompt and output become less likely.")
  Optional<String> repetitionPenalty = Optional.empty();

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Subtracted from the logits of tokens in the output.")
  Optional<String> presencePenalty = Optional.empty();

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "The same for each time that a token occurs.")
  Optional<String> frequencyPenalty = Optional.empty();

  @Option(
      names = "--logit-bias",
      paramLabel = "JSON",
      description = "Added to tokens' logits: a JSON object of ids and numbers.")
  Optional<String> logitBias = Optional.empty();

  @Option(
      names = "--min-tokens",
      paramLabel = "N",
      description = "Tokens to generate before one may end the text.")
  Optional<String> minTokens = Optional.empty();

  @Option(
      names = "--ignore-eos",
      paramLabel = "BOOL",
      description = "true goes on after the model's end tokens. Default: false.")
  Optional<String> ignoreEos = Optional.empty();

  @Option(
      names = "--stop-token-ids",
      paramLabel = "IDS",
      description = "Ids of tokens that end the text: one, or a JSON array.")
  Optional<String> stopTokenIds = Optional.empty();

  @Option(
      names = "--bad-words",
      paramLabel = "STR",
      description = "A text that is not generated; may be given several times.")
  List<String> badWords = new ArrayList<>();

  @Option(names = "--seed", paramLabel = "S", description = "Seed of the sampling.")
  Optional<String> seed = Optional.empty();

  @Option(
      names = "--seed-column",
      paramLabel = "NAME",
      converter = OptionValue.Name.class,
      description = "A column of whole numbers: each row's own seed, instead of --seed.")
  Optional<String> seedColumn = Optional.empty();

  @Option(
      names = "--n",
      paramLabel = "N",
      description =
          "Variants of each row's text; above 1, the columns texts and finish_reasons list them.")
  Optional<String> n = Optional.empty();

  @Option(
      names = "--response-format",
      paramLabel = "FILE",
      converter = OptionValue.Name.class,
      description =
          "A file with the form of the answers, which the column value holds typed: a Spark type"
              + " such as STRUCT<name: STRING, year: INT>, a JSON schema, 'regex: ...', 'choice:"
              + " [\"a\", \"b\"]' or 'json'.")
  Optional<String> responseFormat = Optional.empty();

  @Option(
      names = "--stop",
      paramLabel = "STR",
      description = "A text that ends the generation; may be given several times.")
  List<String> stop = new ArrayList<>();

  @Option(
      names = "--include-stop",
      paramLabel = "BOOL",
      description =
          "true keeps the stop text, or the token, that ended a text as its end. Default: false.")
  Optional<String> includeStop = Optional.empty();

  @Option(
      names = "--skip-special-tokens",
      paramLabel = "BOOL",
      description = "false spells special tokens out in the text. Default: true.")
  Optional<String> skipSpecialTokens = Optional.empty();

  @Option(
      names = "--response-white-space",
      paramLabel = "HOW",
      description = "compact or free: white space of answers in JSON. Default: compact.")
  Optional<String> responseWhiteSpace = Optional.empty();

  @Option(
      names = "--logprobs",
      paramLabel = "K",
      description = "Report the log probability of each token and of the K likeliest, 0 to 20.")
  Optional<String> logprobs = Optional.empty();

  @Option(
      names = "--chat-template-kwargs",
      paramLabel = "JSON",
      description = "Variables of the chat template, such as {\"enable_thinking\": false}.")
  Optional<String> chatTemplateKwargs = Optional.empty();

  @Option(
      names = "--continue-final-message",
      paramLabel = "BOOL",
      description =
          "true continues the last message of each conversation, which is the assistant's."
              + " Default: false.")
  Optional<String> continueFinalMessage = Optional.empty();

  @Option(
      names = "--tools",
      paramLabel = "JSON",
      description = "A list of tools that the model may call, for the chat template.")
  Optional<String> tools = Optional.empty();

  @Option(names = "--system", paramLabel = "STR", description = "The system message.")
  Optional<String> system = Optional.empty();

  @Option(
      names = "--on-error",
      paramLabel = "ACTION",
      converter = Choice.OfOnError.class,
      defaultValue = "row",
      description =
          "A row that cannot be generated: row (say so in its row) or fail (end the job). Default:"
              + " ${DEFAULT-VALUE}.")
  OnError onError = OnError.ROW;

  @Option(
      names = "--on-overflow",
      paramLabel = "POLICY",
      converter = Choice.OfOverflowPolicy.class,
      defaultValue = "error",
      description =
          "A prompt that is too long: error, truncate_left or truncate_middle (cut the prompt) or"
              + " truncate_output (generate fewer tokens). Default:"
              + " ${DEFAULT-VALUE}.")
  OverflowPolicy onOverflow = OverflowPolicy.ERROR;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      converter = OptionValue.Name.class,
      description =
          "Write a page about the run to this file at its end: throughput over time, lengths, times,"
              + " errors, settings.")
  Optional<String> report = Optional.empty();

  @Option(
      names = "--gpu-hour-price",
      paramLabel = "PRICE",
      converter = OptionValue.Price.class,
      description =
          "What a GPU costs in an hour; the report then has the cost of a million tokens.")
  Optional<Double> gpuHourPrice = Optional.empty();

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      converter = Choice.OfBackend.class,
      description = "auto, cuda or cpu. Default: spark.mla.backend, else auto.")
  Optional<BackendChoice> backend = Optional.empty();

  @Option(
      names = "--master",
      paramLabel = "URL",
      converter = OptionValue.Name.class,
      description = "Spark's master. Default: spark-submit's, else local[*].")
  Optional<String> master = Optional.empty();

  @Option(
      names = "--conf",
      paramLabel = "K=V",
      description = "A setting of Spark or of spark.mla; may be given several times.")
  Map<String, String> conf = new LinkedHashMap<>();

  /** Whether the demo is asked for. */
  boolean isDemo() {
    return input.isEmpty();
  }

  /** Where the completions are to be. */
  Destination destination(Configuration files) {
    return outputTable.isPresent()
        ? Destination.table(
            outputTable.get(), checkpoint.orElseThrow(), tableFormat, partitionBy, files)
        : Destination.folder(output.orElse(Demo.OUTPUT), partitionBy, files);
  }

  /** What may be done with an output that is there. In its own folder, the demo replaces all. */
  Output.Existing existing() {
    boolean isOwn = output.isEmpty() && outputTable.isEmpty();
    return new Output.Existing(overwrite || isOwn, resume, force || isOwn && !resume);
  }

  /** When a task commits. */
  SliceLimits slices() {
    return new SliceLimits(sliceRows, Duration.ofSeconds(sliceSeconds));
  }

  /**
   * The options that decide on rows and their results, as they were given.
   *
   * @param all of the command line, with their values
   */
  static Map<String, String> ofResults(List<OptionSpec> all) {
    return given(all, NOT_OF_RESULTS);
  }

  /**
   * The options that a reader of the report asks for, as they were given.
   *
   * @param all of the command line, with their values
   */
  static Map<String, String> ofReport(List<OptionSpec> all) {
    return given(all, NOT_OF_REPORT);
  }

  private static Map<String, String> given(List<OptionSpec> all, Set<String> leftOut) {
    Map<String, String> given = new TreeMap<>();
    for (OptionSpec option : all) {
      Object value = option.getValue();
      if (value instanceof Optional<?> optional) {
        value = optional.orElse(null);
      }
      boolean isGiven =
          value != null
              && !value.equals(false)
              && !(value instanceof Collection<?> values && values.isEmpty());
      if (isGiven && !leftOut.contains(option.longestName())) {
        given.put(option.longestName(), written(option, value));
      }
    }
    return given;
  }

  /**
   * A value as a person writes it. A text stands in quotation marks where it is empty, so that it
   * is seen, and where it begins with some, so that it is not taken for another; and so does each
   * value of an option that is given several times, so that two are not taken for one with a blank.
   */
  private static String written(OptionSpec option, Object value) {
    if (value instanceof Collection<?> values) {
      return option.splitRegex().isEmpty()
          ? values.stream().map(GenerateOptions::json).collect(Collectors.joining(" "))
          : values.stream().map(Object::toString).collect(Collectors.joining(","));
    }
    String text = value.toString();
    return text.isEmpty() || text.startsWith("\"") ? json(text) : text;
  }

  /** Generation parameters by name, as {@code llm_generate} takes them. */
  Map<String, String> params() {
    Map<String, String> params = new LinkedHashMap<>();
    maxTokens
        .or(() -> isDemo() ? Optional.of(Demo.MAX_TOKENS) : Optional.empty())
        .ifPresent(value -> params.put("max_tokens", value));
    temperature.ifPresent(value -> params.put("temperature", value));
    topP.ifPresent(value -> params.put("top_p", value));
    topK.ifPresent(value -> params.put("top_k", value));
    minP.ifPresent(value -> params.put("min_p", value));
    repetitionPenalty.ifPresent(value -> params.put("repetition_penalty", value));
    presencePenalty.ifPresent(value -> params.put("presence_penalty", value));
    frequencyPenalty.ifPresent(value -> params.put("frequency_penalty", value));
    logitBias.ifPresent(value -> params.put("logit_bias", value));
    minTokens.ifPresent(value -> params.put("min_tokens", value));
    ignoreEos.ifPresent(value -> params.put("ignore_eos", value));
    stopTokenIds.ifPresent(value -> params.put("stop_token_ids", value));
    if (!badWords.isEmpty()) {
      params.put("bad_words", json(badWords));
    }
    seed.ifPresent(value -> params.put("seed", value));
    n.ifPresent(value -> params.put("n", value));
    if (!stop.isEmpty()) {
      params.put("stop", json(stop));
    }
    includeStop.ifPresent(value -> params.put("include_stop", value));
    chatTemplateKwargs.ifPresent(value -> params.put("chat_template_kwargs", value));
    continueFinalMessage.ifPresent(value -> params.put("continue_final_message", value));
    tools.ifPresent(value -> params.put("tools", value));
    skipSpecialTokens.ifPresent(value -> params.put("skip_special_tokens", value));
    responseWhiteSpace.ifPresent(value -> params.put("response_white_space", value));
    logprobs.ifPresent(value -> params.put("logprobs", value));
    return params;
  }

  /**
   * How the input is read.
   *
   * @param generated names of the generated columns
   */
  ReadOptions reading(List<String> generated) {
    Set<String> named = new HashSet<>(generated);
    named.add(promptColumn);
    named.add(keyColumn.orElse(USUAL_KEY));
    seedColumn.ifPresent(named::add);
    boolean withColumns = outputFormat == OutputFormat.PARQUET;
    return new ReadOptions(promptColumn, promptAsText, withColumns, MOST_COLUMNS, named);
  }

  /**
   * What the file of {@code --response-format} says, without a byte order mark, which some editors
   * write.
   *
   * @throws JobException when it cannot be read
   */
  Optional<String> answerFormat() {
    return responseFormat.map(
        file -> {
          try {
            return Files.readString(Path.of(file)).replaceFirst("^\uFEFF", "").strip();
          } catch (IOException problem) {
            throw new JobException(
                "cannot read the file "
                    + file
                    + ", which --response-format names and which holds the format: "
                    + (problem instanceof NoSuchFileException
                        ? "there is no such file"
                        : problem.toString()));
          }
        });
  }

  /** The call's options, but for the seeds of {@code --seed-column}. */
  LlmOptions call() {
    LlmOptions options = LlmOptions.defaults().withOnError(onError).withOnOverflow(onOverflow);
    for (Map.Entry<String, String> param : params().entrySet()) {
      options = options.withParam(param.getKey(), param.getValue());
    }
    Optional<String> format = answerFormat();
    if (format.isPresent()) {
      options = options.withResponseFormat(format.get());
    }
    return system.isPresent() ? options.withSystem(system.get()) : options;
  }

  private static String json(Object texts) {
    try {
      return new ObjectMapper().writeValueAsString(texts);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
