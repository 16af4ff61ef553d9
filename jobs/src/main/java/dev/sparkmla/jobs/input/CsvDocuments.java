package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.first;
import static org.apache.spark.sql.functions.is_valid_utf8;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.replace;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.when;

import java.net.URI;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Opens CSV with a header: quoted cells may span lines, and every column is text. */
final class CsvDocuments {
  private static final String BROKEN = "__spark_mla_broken_record";

  private CsvDocuments() {}

  /**
   * Opens an input.
   *
   * @throws InputException when a file is not UTF-8, its header is not as the first file's, or a
   *     column is there twice
   */
  static Documents open(SparkSession spark, InputFiles files, ReadOptions options) {
    List<String> columns = header(spark, files);
    StructType schema = new StructType();
    for (String column : columns) {
      schema = schema.add(column, DataTypes.StringType);
    }
    files.requireNoKeyAmong(columns);
    columns.addAll(files.keys());
    Dataset<Row> table =
        reader(spark)
            .option("header", true)
            .option("columnNameOfCorruptRecord", BROKEN)
            .schema(schema.add(BROKEN, DataTypes.StringType))
            .csv(files.sources());
    Column metadata = table.metadataColumn("_metadata");
    Column record = Documents.named(BROKEN);
    String promptColumn = Documents.column(columns, options.promptColumn(), files);
    return Documents.ofTable(
        table.select(
            col("*"),
            metadata.getField("file_path").as(Lines.FILE),
            metadata.getField("file_block_start").as(Lines.BLOCK)),
        columns,
        promptColumn,
        Documents.named(promptColumn),
        Documents.TEXT,
        when(
            record.isNotNull(),
            Lines.problem(
                Documents.named(Lines.FILE), "it has not the columns of the header", record)));
  }

  /** The names of the columns, which every file has to have. */
  private static List<String> header(SparkSession spark, InputFiles files) {
    String namedBy = null;
    List<String> names = new ArrayList<>();
    Set<String> read = new HashSet<>();
    for (Row file : beginnings(spark, files)) {
      String path = InputFiles.spelled(file.getString(0));
      if (file.getBoolean(2)) {
        throw new InputException(
            path + " is not UTF-8; convert it, as with iconv -f LATIN1 -t UTF-8");
      }
      if (file.getLong(3) % 2 == 1) {
        requireClosed(spark, path, file.getString(0));
      }
      if (!read.add(file.getString(1))) {
        continue;
      }
      List<String> header = header(spark, path, file.getString(0));
      if (namedBy == null) {
        namedBy = path;
        names = header;
      } else if (!header.equals(names)) {
        throw new InputException(
            path
                + " has the columns "
                + String.join(", ", header)
                + ", where "
                + namedBy
                + " has "
                + String.join(", ", names)
                + "; give files with different columns as inputs of their own");
      }
    }
    if (namedBy == null) {
      throw files.areEmpty();
    }
    return names;
  }

  /**
   * Refuses a file that ends within a quoted cell, which may have swallowed records. No cell but a
   * quoted one spans lines, and a quoted one that is closed at a file's end ends in a quote.
   */
  private static void requireClosed(SparkSession spark, String path, String file) {
    Row record = last(reader(spark).csv(source(file)));
    String cell = record.isNullAt(record.size() - 1) ? "" : record.getString(record.size() - 1);
    Dataset<Row> lines = InputFiles.reader(spark).text(source(file));
    String line = last(lines.filter(length(trim(col("value"))).gt(0))).getString(0);
    if (cell.contains("\n") && !line.stripTrailing().endsWith("\"")) {
      throw new InputException(
          path
              + " ends within a cell that a quote opens and none closes: "
              + Lines.excerpt(cell)
              + "; close it, or double a quote that is part of its text");
    }
  }

  private static Row last(Dataset<Row> rows) {
    return ((Row[]) rows.tail(1))[0];
  }

  private static String source(String file) {
    return new Path(URI.create(file)).toString();
  }

  /** For each file its path, its first line, whether some line is not UTF-8, and its quotes. */
  private static List<Row> beginnings(SparkSession spark, InputFiles files) {
    Column text = Documents.named(Lines.LINE).cast(DataTypes.StringType);
    return Lines.open(spark, files)
        .rows()
        .groupBy(Documents.named(Lines.FILE))
        .agg(
            first(when(Documents.named(Lines.BLOCK).equalTo(0), text), true),
            max(not(is_valid_utf8(text))),
            sum(length(text).minus(length(replace(text, lit("\""))))))
        .orderBy(Documents.named(Lines.FILE))
        .collectAsList();
  }

  private static List<String> header(SparkSession spark, String path, String file) {
    Row cells = reader(spark).csv(source(file)).head();
    List<String> names = new ArrayList<>();
    Set<String> taken = new HashSet<>();
    for (int i = 0; i < cells.size(); i++) {
      // As Spark names columns without a name; pandas writes such a one for its index.
      String name =
          cells.isNullAt(i) || cells.getString(i).isEmpty() ? "_c" + i : cells.getString(i);
      if (!taken.add(name.toLowerCase(Locale.ROOT))) {
        throw new InputException(
            path + " has the column " + name + " twice in its header; rename one of them");
      }
      names.add(name);
    }
    return names;
  }

  private static DataFrameReader reader(SparkSession spark) {
    return InputFiles.reader(spark)
        .option("mode", "PERMISSIVE")
        .option("multiLine", true)
        .option("escape", "\"")
        // A cell of "" is an empty text; one with nothing in it is NULL, for which Spark wants a
        // text that no cell has: UTF-8 holds no lone surrogates.
        .option("nullValue", "\uD800");
  }
}
