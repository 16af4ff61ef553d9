package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.from_json;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The rows of an input. One that cannot be generated from is a row all the same: it has no prompt,
 * it says why in {@link #REFUSAL}, and its columns are NULL as far as they cannot be read.
 *
 * @param rows has {@code carried} as columns, {@link #MEMBERS} where {@code asWritten}, one or both
 *     of {@link #TEXT} and {@link #CONVERSATION}, and {@link #REFUSAL}
 * @param columns names of all columns of the input
 * @param carried which of them are columns of {@code rows}
 * @param asWritten whether the others are in {@link #MEMBERS}
 * @param promptColumn which of {@code columns} holds prompts
 * @param count how many rows there are
 */
public record Documents(
    Dataset<Row> rows,
    List<String> columns,
    List<String> carried,
    boolean asWritten,
    String promptColumn,
    long count) {

  /**
   * STRING: a prompt to be continued as it stands; NULL where it is a conversation or there is
   * none.
   */
  public static final String TEXT = "__spark_mla_text";

  /** A prompt that is a conversation, of a type that {@code llm_generate} takes. */
  public static final String CONVERSATION = "__spark_mla_conversation";

  /** STRUCT&lt;code STRING, message STRING&gt;: why a row cannot be generated from, else NULL. */
  public static final String REFUSAL = "__spark_mla_refusal";

  /**
   * STRING: a JSON object as it is written, without its braces, and a comma after it; empty for an
   * object without members and where there is none.
   */
  public static final String MEMBERS = "__spark_mla_members";

  /** The code of a row that cannot be read. */
  static final String BROKEN_ROW = "BROKEN_ROW";

  /** The code of a row whose prompt is none. */
  static final String INVALID_PROMPT = "INVALID_PROMPT";

  /** The type of {@link #REFUSAL}. */
  static final StructType REFUSAL_TYPE =
      new StructType().add("code", DataTypes.StringType).add("message", DataTypes.StringType);

  private static final int LISTED = 100;

  /** Copies the lists. */
  public Documents {
    columns = List.copyOf(columns);
    carried = List.copyOf(carried);
  }

  /**
   * Opens an input. It is read once to count its rows and, where it is JSON, to find its columns.
   *
   * @throws InputException when it holds no prompts, or columns that cannot be carried
   */
  public static Documents open(
      SparkSession spark, InputFiles files, InputFormat format, ReadOptions options) {
    return switch (format) {
      case JSON -> JsonDocuments.open(spark, files, options);
      case PARQUET -> ParquetDocuments.open(spark, files, options);
      case CSV -> CsvDocuments.open(spark, files, options);
      case TEXT -> TextDocuments.open(spark, files, options);
    };
  }

  /** One of {@code columns} as text, also where it is in {@link #MEMBERS}. */
  public Column value(String column) {
    if (carried.contains(column)) {
      return named(column).cast(DataTypes.StringType);
    }
    // After the members' last comma comes one that is not asked for.
    Column object = concat(lit("{"), col(MEMBERS), lit("\"\":null}"));
    return from_json(object, new StructType().add(column, DataTypes.StringType)).getField(column);
  }

  /** A column by its name, whatever letters it has. */
  public static Column named(String name) {
    return col(quoted(name));
  }

  /**
   * The column of a name; case does not matter, as in Spark.
   *
   * @throws InputException when there is none
   */
  public static String column(List<String> columns, String name, InputFiles files) {
    return columns.stream()
        .filter(name::equals)
        .findFirst()
        .or(() -> columns.stream().filter(name::equalsIgnoreCase).findFirst())
        .orElseThrow(
            () ->
                new InputException(
                    files
                        + " has no column "
                        + name
                        + "; it has "
                        + (columns.isEmpty() ? "none" : listed(columns))));
  }

  private static String listed(List<String> columns) {
    String first = String.join(", ", columns.subList(0, Math.min(LISTED, columns.size())));
    int more = columns.size() - LISTED;
    return more > 0 ? first + " and " + more + " more" : first;
  }

  /**
   * The rows of a table.
   *
   * @param table its columns are all carried
   * @param prompt the prompt of a row that can be read
   * @param kind {@link #TEXT} or {@link #CONVERSATION}, as the prompt is
   * @param broken why a row cannot be read; NULL where it can
   */
  static Documents ofTable(
      Dataset<Row> table,
      List<String> columns,
      String promptColumn,
      Column prompt,
      String kind,
      Column broken) {
    Dataset<Row> rows =
        table
            .withColumn(kind, when(broken.isNull(), prompt))
            .withColumn(
                REFUSAL,
                when(broken.isNotNull(), struct(lit(BROKEN_ROW).as("code"), broken.as("message"))));
    // A named column makes Spark read each row as it will when it generates.
    long count =
        rows.agg(functions.count(lit(1)), functions.count(named(promptColumn))).first().getLong(0);
    return new Documents(rows, columns, columns, false, promptColumn, count);
  }

  static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }
}
