package dev.sparkmla.jobs;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.raise_error;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;
import static org.apache.spark.sql.functions.when;

import dev.sparkmla.jobs.input.Documents;
import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.output.OutputFormat;
import dev.sparkmla.sql.LlmOptions;
import dev.sparkmla.sql.MlaFunctions;
import dev.sparkmla.sql.OnError;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A job's output: the input's columns and, after them, what {@code llm_generate} returned, a column
 * a field.
 *
 * @param prefix goes before the names of the generated columns
 * @param further the fields that the call's options have added to those of every call
 */
record Results(String prefix, List<String> further) {
  /** The error code of a row whose prompt is NULL, for which {@code llm_generate} returns NULL. */
  static final String NULL_PROMPT = "NULL_PROMPT";

  private static final String GENERATED = "__spark_mla_generated";

  private static final StructType COLUMNS =
      new StructType()
          .add("text", DataTypes.StringType)
          .add("reasoning", DataTypes.StringType)
          .add("finish_reason", DataTypes.StringType)
          .add("prompt_tokens", DataTypes.IntegerType)
          .add("cached_tokens", DataTypes.IntegerType)
          .add("output_tokens", DataTypes.IntegerType)
          .add("error_code", DataTypes.StringType)
          .add("error_message", DataTypes.StringType);

  /** Copies the list. */
  Results {
    further = List.copyOf(further);
  }

  /**
   * The results of a call.
   *
   * @param options of the call, which no column has a part in
   */
  static Results of(SparkSession spark, LlmOptions options, String prefix) {
    return new Results(prefix, furtherFields(spark, options));
  }

  private static List<String> furtherFields(SparkSession spark, LlmOptions options) {
    List<String> fields = fields(spark, options);
    fields.removeAll(fields(spark, LlmOptions.defaults()));
    return fields;
  }

  private static List<String> fields(SparkSession spark, LlmOptions options) {
    Column call = MlaFunctions.llmGenerate(lit("a prompt"), options);
    StructType type = (StructType) spark.range(1).select(call).schema().apply(0).dataType();
    return new ArrayList<>(List.of(type.fieldNames()));
  }

  /** A generated column's name in the output. */
  String name(String column) {
    return prefix + column;
  }

  /** The generated columns' names in the output. */
  List<String> names() {
    return Stream.concat(Arrays.stream(COLUMNS.fieldNames()), further.stream())
        .map(this::name)
        .toList();
  }

  /**
   * Refuses an input with columns of the names of generated ones.
   *
   * @throws JobException naming them
   */
  void refuseCollisions(List<String> columns) {
    List<String> taken = new ArrayList<>();
    for (String generated : names()) {
      columns.stream().filter(generated::equalsIgnoreCase).forEach(taken::add);
    }
    if (!taken.isEmpty()) {
      throw new JobException(
          "the input has columns that are named as generated ones: "
              + String.join(", ", taken)
              + "; give the generated columns other names with --output-prefix, such as"
              + " --output-prefix generated_");
    }
  }

  /**
   * The output of numbered rows of documents: its columns and, as the last one, {@link
   * NumberedRows#NUMBER}. Nothing is generated yet.
   */
  Dataset<Row> generate(Documents documents, Dataset<Row> rows, LlmOptions options) {
    Column refusal = col(Documents.REFUSAL);
    String nullMessage = "the column " + documents.promptColumn() + " is NULL";
    Dataset<Row> generated =
        rows.withColumn(GENERATED, generated(documents.rows(), options, nullMessage));
    Column isNull = col(GENERATED).isNull();
    List<Column> columns = new ArrayList<>();
    if (documents.asWritten()) {
      columns.add(col(Documents.MEMBERS));
    }
    documents.carried().forEach(column -> columns.add(Documents.named(column)));
    columns.add(field("text").as(name("text")));
    columns.add(field("reasoning").as(name("reasoning")));
    columns.add(coalesce(field("finish_reason"), lit("error")).as(name("finish_reason")));
    for (String count : List.of("prompt_tokens", "cached_tokens", "output_tokens")) {
      columns.add(coalesce(field(count), lit(0)).as(name(count)));
    }
    columns.add(
        when(refusal.isNotNull(), refused("code"))
            .when(isNull, lit(NULL_PROMPT))
            .otherwise(field("error.code"))
            .as(name("error_code")));
    columns.add(
        when(refusal.isNotNull(), refused("message"))
            .when(isNull, lit(nullMessage))
            .otherwise(field("error.message"))
            .as(name("error_message")));
    further.forEach(field -> columns.add(field(field).as(name(field))));
    columns.add(col(NumberedRows.NUMBER));
    return generated.select(columns.toArray(Column[]::new));
  }

  /** What {@code llm_generate} returns for a row's prompt, whether a text or a conversation. */
  private static Column generated(Dataset<Row> rows, LlmOptions options, String nullMessage) {
    List<String> present = List.of(rows.columns());
    Column conversation = col(Documents.CONVERSATION);
    Column text = col(Documents.TEXT);
    if (!present.contains(Documents.TEXT)) {
      return MlaFunctions.llmGenerate(strictly(conversation, options, nullMessage), options);
    }
    Column ofText = MlaFunctions.llmGenerate(strictly(text, options, nullMessage), options);
    return present.contains(Documents.CONVERSATION)
        ? when(conversation.isNotNull(), MlaFunctions.llmGenerate(conversation, options))
            .otherwise(ofText)
        : ofText;
  }

  /** A prompt; where errors are to end the job, one that is not there does. */
  private static Column strictly(Column prompt, LlmOptions options, String nullMessage) {
    return options.onError() == OnError.FAIL
        ? when(
                col(Documents.REFUSAL).isNotNull(),
                raise_error(concat(refused("code"), lit(": "), refused("message"))))
            .otherwise(coalesce(prompt, raise_error(lit(nullMessage))))
        : prompt;
  }

  /** An output as its format's writer takes it. */
  static Dataset<Row> written(Dataset<Row> output, OutputFormat format) {
    return switch (format) {
      case PARQUET -> output;
      case JSON -> output.select(line(output), col(NumberedRows.NUMBER));
    };
  }

  /** A row as a line of JSON; objects of the input stand in it as they were written. */
  private static Column line(Dataset<Row> output) {
    List<Column> columns = new ArrayList<>();
    for (String column : output.columns()) {
      if (!column.equals(Documents.MEMBERS) && !column.equals(NumberedRows.NUMBER)) {
        columns.add(Documents.named(column));
      }
    }
    Column object =
        to_json(struct(columns.toArray(Column[]::new)), Map.of("ignoreNullFields", "false"));
    return List.of(output.columns()).contains(Documents.MEMBERS)
        ? concat(lit("{"), col(Documents.MEMBERS), object.substr(lit(2), length(object)))
        : object;
  }

  /** The columns of a written output that this record has added, and further ones that are text. */
  Dataset<Row> read(
      SparkSession spark, List<String> paths, OutputFormat format, List<String> further) {
    StructType schema = new StructType();
    for (String column : further) {
      schema = schema.add(column, DataTypes.StringType);
    }
    for (var field : COLUMNS.fields()) {
      schema = schema.add(name(field.name()), field.dataType());
    }
    if (paths.isEmpty()) {
      return spark.createDataFrame(List.<Row>of(), schema);
    }
    String[] files = paths.toArray(String[]::new);
    DataFrameReader reader = spark.read().format(format.toString());
    return switch (format) {
      case JSON -> reader.schema(schema).load(files);
      case PARQUET -> {
        List<Column> columns = new ArrayList<>();
        for (var field : schema.fields()) {
          columns.add(Documents.named(field.name()).cast(field.dataType()).as(field.name()));
        }
        yield reader.load(files).select(columns.toArray(Column[]::new));
      }
    };
  }

  private static Column field(String name) {
    return col(GENERATED + "." + name);
  }

  private static Column refused(String field) {
    return col(Documents.REFUSAL + "." + field);
  }
}
