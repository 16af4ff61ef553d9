package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.to_json;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;

/** Opens Parquet; files may have different columns. */
final class ParquetDocuments {
  private ParquetDocuments() {}

  /**
   * Opens an input.
   *
   * @throws InputException when a file is no Parquet, a column's type is none that Spark reads or
   *     not the same in all files, or the prompts' column holds no prompts
   */
  static Documents open(SparkSession spark, InputFiles files, ReadOptions options) {
    Dataset<Row> table = table(spark, files);
    Column metadata = table.metadataColumn("_metadata");
    List<String> columns = List.of(table.columns());
    files.requireNoKeyAmong(columns.subList(0, columns.size() - files.keys().size()));
    String promptColumn = Documents.column(columns, options.promptColumn(), files);
    DataType type = table.schema().apply(promptColumn).dataType();
    Column prompt =
        options.promptAsText() ? asText(promptColumn, type) : prompt(promptColumn, type, files);
    Column neverBroken = lit(null).cast(DataTypes.StringType);
    boolean isText = options.promptAsText() || type instanceof StringType;
    return Documents.ofTable(
        table.select(
            col("*"),
            metadata.getField("file_path").as(Lines.FILE),
            metadata.getField("file_block_start").as(Lines.BLOCK)),
        columns,
        promptColumn,
        prompt,
        isText ? Documents.TEXT : Documents.CONVERSATION,
        neverBroken);
  }

  private static Dataset<Row> table(SparkSession spark, InputFiles files) {
    try {
      return InputFiles.reader(spark).option("mergeSchema", true).parquet(files.sources());
    } catch (Exception refusal) { // Spark's are unchecked to Java alone
      throw new ParquetFooters(spark, files).explain(refusal);
    }
  }

  private static Column asText(String column, DataType type) {
    boolean hasParts =
        type instanceof ArrayType || type instanceof StructType || type instanceof MapType;
    Column value = Documents.named(column);
    return hasParts ? to_json(value) : value.cast(DataTypes.StringType);
  }

  private static Column prompt(String column, DataType type, InputFiles files) {
    if (type instanceof StringType) {
      return Documents.named(column);
    }
    if (type instanceof ArrayType list
        && list.elementType() instanceof StructType message
        && hasText(message, "role")
        && (hasText(message, "content") || hasParts(message))) {
      return Documents.named(column);
    }
    throw new InputException(
        "the column "
            + column
            + " of "
            + files
            + " is "
            + type.sql()
            + "; prompts are STRING, or ARRAY<STRUCT<role STRING, content STRING>>, where content"
            + " may be ARRAY<STRUCT<type STRING, text STRING>>; --prompt-as-text takes any other"
            + " value as its JSON text");
  }

  private static boolean hasText(StructType struct, String name) {
    return struct.getFieldIndex(name).isDefined()
        && struct.apply(name).dataType() instanceof StringType;
  }

  private static boolean hasParts(StructType message) {
    return message.getFieldIndex("content").isDefined()
        && message.apply("content").dataType() instanceof ArrayType parts
        && parts.elementType() instanceof StructType part
        && hasText(part, "type")
        && hasText(part, "text");
  }
}
