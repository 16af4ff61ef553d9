package dev.sparkmla.jobs;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The rows of an input.
 *
 * <p>A line that cannot be read stays as a row: its columns are NULL as far as they are not
 * understood, and {@link #BROKEN} holds the line.
 *
 * @param rows the input's columns, and {@link #BROKEN} where the format can break
 * @param columns names of the input's columns
 * @param promptColumn which of them holds prompts
 */
record Documents(Dataset<Row> rows, List<String> columns, String promptColumn) {
  /** The column that holds a line that cannot be read, else NULL. */
  static final String BROKEN = "__spark_mla_broken_line";

  private static final ArrayType CONVERSATION =
      DataTypes.createArrayType(
          new StructType().add("role", DataTypes.StringType).add("content", DataTypes.StringType));

  /** Copies the list. */
  Documents {
    columns = List.copyOf(columns);
  }

  /**
   * Opens an input. JSON is read once to find its columns.
   *
   * @throws JobException when it has no such column, or one that holds no prompts
   */
  static Documents open(SparkSession spark, String path, InputFormat format, String promptColumn) {
    Dataset<Row> rows =
        switch (format) {
          case JSON -> json(spark, path, promptColumn);
          case PARQUET -> spark.read().parquet(path);
          case CSV -> csv(spark, path);
          case TEXT -> spark.read().text(path).withColumnRenamed("value", promptColumn);
        };
    List<String> columns = new ArrayList<>(List.of(rows.columns()));
    columns.remove(BROKEN);
    StructField prompt = field(rows.schema(), promptColumn, path);
    if (!(prompt.dataType() instanceof StringType) && !isConversation(prompt.dataType())) {
      throw new JobException(
          "the column "
              + promptColumn
              + " of "
              + path
              + " is "
              + prompt.dataType().sql()
              + "; prompts are STRING, or ARRAY<STRUCT<role STRING, content STRING>>");
    }
    return new Documents(rows, columns, prompt.name());
  }

  /** How many rows there are; reads the input. */
  long countRows() {
    // A named column makes Spark read lines as it will when it generates.
    return rows.agg(count(lit(1)), count(named(promptColumn))).first().getLong(0);
  }

  /** The prompt as {@code llm_generate} takes it; NULL in a broken row. */
  Column prompt() {
    Column prompt = named(promptColumn);
    DataType type = rows.schema().apply(promptColumn).dataType();
    if (type instanceof ArrayType && !type.sameType(CONVERSATION)) {
      prompt =
          expr(
              "transform("
                  + quoted(promptColumn)
                  + ", message -> struct(message.role AS role, message.content AS content))");
    }
    Column whole = prompt;
    return broken().map(isBroken -> when(isBroken, lit(null)).otherwise(whole)).orElse(whole);
  }

  /** Whether a row is broken; empty where none can be. */
  Optional<Column> broken() {
    return rows.schema().getFieldIndex(BROKEN).isDefined()
        ? Optional.of(col(BROKEN).isNotNull())
        : Optional.empty();
  }

  /** A column by its name, whatever letters it has. */
  static Column named(String name) {
    return col(quoted(name));
  }

  /**
   * The field of a name; case does not matter, as in Spark.
   *
   * @throws JobException when there is none
   */
  static StructField field(StructType schema, String name, String path) {
    for (StructField field : schema.fields()) {
      if (field.name().equalsIgnoreCase(name) && !field.name().equals(BROKEN)) {
        return field;
      }
    }
    List<String> present = new ArrayList<>(List.of(schema.fieldNames()));
    present.remove(BROKEN);
    throw new JobException(
        path
            + " has no column "
            + name
            + "; it has "
            + (present.isEmpty() ? "none" : String.join(", ", present)));
  }

  private static Dataset<Row> json(SparkSession spark, String path, String promptColumn) {
    DataFrameReader reader =
        spark
            .read()
            .option("mode", "PERMISSIVE")
            .option("columnNameOfCorruptRecord", BROKEN)
            .option("maxStringLen", Integer.MAX_VALUE);
    StructType inferred = reader.json(path).schema();
    StructField prompt = field(inferred, promptColumn, path);
    StructType schema = new StructType();
    for (StructField field : inferred.fields()) {
      if (field.equals(prompt) && hasLists(reader, path, field)) {
        schema = schema.add(field.name(), CONVERSATION);
      } else if (!field.name().equals(BROKEN)) {
        schema = schema.add(field);
      }
    }
    return reader.schema(schema.add(BROKEN, DataTypes.StringType)).json(path);
  }

  /**
   * Whether a column that was taken for text has lists in some of its rows: Spark calls a mixture
   * text. Then the rows with a text are the broken ones.
   */
  private static boolean hasLists(DataFrameReader reader, String path, StructField field) {
    return field.dataType() instanceof StringType
        && !reader
            .schema(new StructType().add(field.name(), DataTypes.VariantType))
            .json(path)
            .filter("schema_of_variant(" + quoted(field.name()) + ") LIKE 'ARRAY<%'")
            .isEmpty();
  }

  private static Dataset<Row> csv(SparkSession spark, String path) {
    DataFrameReader reader =
        spark
            .read()
            .option("mode", "PERMISSIVE")
            .option("columnNameOfCorruptRecord", BROKEN)
            .option("header", true)
            .option("multiLine", true)
            .option("escape", "\"")
            // A cell of "" is an empty text; one with nothing in it is NULL.
            .option("nullValue", "\u0000")
            .option("enforceSchema", false);
    StructType schema = reader.csv(path).schema();
    return reader.schema(schema.add(BROKEN, DataTypes.StringType)).csv(path);
  }

  private static boolean isConversation(DataType type) {
    if (type instanceof ArrayType array && array.elementType() instanceof StructType message) {
      return isText(message, "role") && isText(message, "content");
    }
    return false;
  }

  private static boolean isText(StructType message, String name) {
    return message.getFieldIndex(name).isDefined()
        && message.apply(name).dataType() instanceof StringType;
  }

  private static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }
}
