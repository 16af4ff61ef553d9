package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.make_valid_utf8;
import static org.apache.spark.sql.functions.regexp_replace;
import static org.apache.spark.sql.functions.url_decode;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;

/**
 * The lines of an input's files, as bytes, with where they come from.
 *
 * @param rows {@link #LINE}, {@link #FILE}, {@link #BLOCK} and the columns of {@code keys}, in this
 *     order
 * @param keys the columns that names of folders make, STRING
 */
record Lines(Dataset<Row> rows, List<String> keys) {
  /** A line without its break, BINARY. */
  static final String LINE = "__spark_mla_line";

  /** The line's file, STRING, a URI. */
  static final String FILE = "__spark_mla_file";

  /** Where in the file the block begins that a task reads the line from, BIGINT, in bytes. */
  static final String BLOCK = "__spark_mla_block";

  /** Where {@link #LINE}, {@link #FILE}, {@link #BLOCK} and the first key are in a row. */
  static final int LINE_ORDINAL = 0;

  static final int FILE_ORDINAL = 1;
  static final int BLOCK_ORDINAL = 2;
  static final int FIRST_KEY_ORDINAL = 3;

  private static final String VALUE = "value";
  private static final int EXCERPT = 200;

  /**
   * Opens an input; reads nothing of it.
   *
   * @throws InputException when names of folders make a column that hides the lines
   */
  static Lines open(SparkSession spark, InputFiles files) {
    List<Column> columns = new ArrayList<>();
    columns.add(col(VALUE).cast(DataTypes.BinaryType).as(LINE));
    columns.add(col("_metadata.file_path").as(FILE));
    columns.add(col("_metadata.file_block_start").as(BLOCK));
    for (String key : files.keys()) {
      if (key.equalsIgnoreCase(VALUE)) {
        throw new InputException(
            files + " has folders named " + key + "=..., a name that is taken; rename them");
      }
      columns.add(Documents.named(key));
    }
    return new Lines(
        InputFiles.reader(spark).text(files.sources()).select(columns.toArray(Column[]::new)),
        files.keys());
  }

  /** The first lines of a file, joined as they are there. */
  byte[] beginning(String file, int lines) {
    ByteArrayOutputStream beginning = new ByteArrayOutputStream();
    for (Row row :
        rows.filter(col(FILE).equalTo(file).and(col(BLOCK).equalTo(0)))
            .limit(lines)
            .collectAsList()) {
      beginning.writeBytes(row.getAs(LINE_ORDINAL));
      beginning.write('\n');
    }
    return beginning.toByteArray();
  }

  /**
   * Says why a line cannot be read.
   *
   * @param reason what is wrong, and with what
   */
  static String problem(String file, long number, String reason) {
    return "line " + number + " of " + InputFiles.spelled(file) + " cannot be read: " + reason;
  }

  /**
   * Says why a record cannot be read whose line is not known.
   *
   * @param file STRING, a URI
   * @param record STRING
   */
  static Column problem(Column file, String reason, Column record) {
    // Decoding takes a plus for a blank.
    Column encoded =
        regexp_replace(regexp_replace(file, lit("^file:/*"), lit("/")), lit("\\+"), lit("%2B"));
    return concat(
        lit("a record of "),
        url_decode(encoded),
        lit(" cannot be read: " + reason + ": "),
        regexp_replace(
            make_valid_utf8(record).substr(1, EXCERPT), lit("\\p{Cntrl}"), lit("\uFFFD")));
  }

  /** The beginning of a line, for a message. */
  static String excerpt(byte[] line) {
    // A character has at most 4 bytes.
    int length = Math.min(line.length, 4 * EXCERPT);
    return excerpt(new String(line, 0, length, StandardCharsets.UTF_8));
  }

  /** The beginning of a text, for a message. */
  static String excerpt(String text) {
    int end = text.offsetByCodePoints(0, Math.min(EXCERPT, text.codePointCount(0, text.length())));
    // Control characters would reach a terminal.
    return text.substring(0, end).replaceAll("\\p{Cntrl}", "\uFFFD");
  }
}
