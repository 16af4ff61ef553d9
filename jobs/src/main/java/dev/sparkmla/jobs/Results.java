package dev.sparkmla.jobs;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.left;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.raise_error;
import static org.apache.spark.sql.functions.when;

import dev.sparkmla.sql.LlmOptions;
import dev.sparkmla.sql.MlaFunctions;
import dev.sparkmla.sql.OnError;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A job's output: the input's columns and, after them, what {@code llm_generate} returned, a column
 * a field.
 *
 * @param prefix goes before the names of the generated columns
 */
record Results(String prefix) {
  /** The error code of a row whose prompt is NULL, for which {@code llm_generate} returns NULL. */
  static final String NULL_PROMPT = "NULL_PROMPT";

  /** The error code of a line of the input that cannot be read. */
  static final String BROKEN_ROW = "BROKEN_ROW";

  private static final String GENERATED = "__spark_mla_generated";
  private static final int EXCERPT = 200;

  private static final StructType COLUMNS =
      new StructType()
          .add("text", DataTypes.StringType)
          .add("finish_reason", DataTypes.StringType)
          .add("prompt_tokens", DataTypes.IntegerType)
          .add("cached_tokens", DataTypes.IntegerType)
          .add("output_tokens", DataTypes.IntegerType)
          .add("error_code", DataTypes.StringType)
          .add("error_message", DataTypes.StringType);

  /** A generated column's name in the output. */
  String name(String column) {
    return prefix + column;
  }

  /**
   * Refuses an input with columns of the names of generated ones.
   *
   * @throws JobException naming them
   */
  void refuseCollisions(List<String> columns) {
    List<String> taken = new ArrayList<>();
    for (String generated : COLUMNS.fieldNames()) {
      columns.stream()
          .filter(column -> column.equalsIgnoreCase(name(generated)))
          .forEach(taken::add);
    }
    if (!taken.isEmpty()) {
      throw new JobException(
          "the input has columns that are named as generated ones: "
              + String.join(", ", taken)
              + "; give the generated columns other names with --output-prefix, such as"
              + " --output-prefix generated_");
    }
  }

  /** The output of the documents in {@code partitions} tasks. Nothing is generated yet. */
  Dataset<Row> generate(Documents documents, LlmOptions options, int partitions) {
    Column broken = documents.broken().orElse(lit(false));
    Column prompt = documents.prompt();
    if (options.onError() == OnError.FAIL) {
      prompt =
          when(broken, raise_error(brokenMessage(documents)))
              .otherwise(coalesce(prompt, raise_error(lit(nullMessage(documents)))));
    }
    Dataset<Row> generated =
        documents
            .rows()
            .repartition(partitions)
            .withColumn(GENERATED, MlaFunctions.llmGenerate(prompt, options));
    Column isNull = col(GENERATED).isNull();
    List<Column> columns =
        new ArrayList<>(documents.columns().stream().map(Documents::named).toList());
    columns.add(field("text").as(name("text")));
    columns.add(coalesce(field("finish_reason"), lit("error")).as(name("finish_reason")));
    for (String count : List.of("prompt_tokens", "cached_tokens", "output_tokens")) {
      columns.add(coalesce(field(count), lit(0)).as(name(count)));
    }
    columns.add(
        when(broken, lit(BROKEN_ROW))
            .when(isNull, lit(NULL_PROMPT))
            .otherwise(field("error.code"))
            .as(name("error_code")));
    columns.add(
        when(broken, brokenMessage(documents))
            .when(isNull, lit(nullMessage(documents)))
            .otherwise(field("error.message"))
            .as(name("error_message")));
    return generated.select(columns.toArray(Column[]::new));
  }

  /** Writes an output; this is where Spark generates. */
  void write(Dataset<Row> output, String path, OutputFormat format, boolean overwrite) {
    output
        .write()
        .mode(overwrite ? SaveMode.Overwrite : SaveMode.ErrorIfExists)
        .format(format.toString())
        .option("ignoreNullFields", false)
        .save(path);
  }

  /** The columns of a written output that this record has added, and further ones that are text. */
  Dataset<Row> read(SparkSession spark, String path, OutputFormat format, List<String> further) {
    StructType schema = new StructType();
    for (String column : further) {
      schema = schema.add(column, DataTypes.StringType);
    }
    for (var field : COLUMNS.fields()) {
      schema = schema.add(name(field.name()), field.dataType());
    }
    DataFrameReader reader = spark.read().format(format.toString());
    return switch (format) {
      case JSON -> reader.schema(schema).load(path);
      case PARQUET -> {
        List<Column> columns = new ArrayList<>();
        for (var field : schema.fields()) {
          columns.add(Documents.named(field.name()).cast(field.dataType()).as(field.name()));
        }
        yield reader.load(path).select(columns.toArray(Column[]::new));
      }
    };
  }

  private static Column field(String name) {
    return col(GENERATED + "." + name);
  }

  private static Column brokenMessage(Documents documents) {
    return documents.broken().isEmpty()
        ? lit(null).cast(DataTypes.StringType)
        : concat(
            lit("the line cannot be read as the input's other lines: "),
            left(col(Documents.BROKEN), lit(EXCERPT)));
  }

  private static String nullMessage(Documents documents) {
    return "the column " + documents.promptColumn() + " is NULL";
  }
}
