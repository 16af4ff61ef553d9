package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.is_valid_utf8;
import static org.apache.spark.sql.functions.make_valid_utf8;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.when;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;

/** Opens plain text, a document a line. */
final class TextDocuments {
  private TextDocuments() {}

  /**
   * Opens an input.
   *
   * @throws InputException when names of folders make a column that is named as the lines'
   */
  static Documents open(SparkSession spark, InputFiles files, ReadOptions options) {
    Lines lines = Lines.open(spark, files);
    String promptColumn = options.promptColumn();
    if (lines.keys().stream().anyMatch(promptColumn::equalsIgnoreCase)) {
      throw new InputException(
          files
              + " has folders named "
              + promptColumn
              + "=..., as the column of its lines is; name that with --prompt-column");
    }
    List<String> columns = new ArrayList<>(List.of(promptColumn));
    columns.addAll(lines.keys());
    Column text = Documents.named(Lines.LINE).cast(DataTypes.StringType);
    Column broken =
        when(
            not(is_valid_utf8(text)),
            Lines.problem(Documents.named(Lines.FILE), "it is not UTF-8", text));
    return Documents.ofTable(
        lines.rows().withColumn(promptColumn, make_valid_utf8(text)),
        columns,
        promptColumn,
        Documents.named(promptColumn),
        Documents.TEXT,
        broken);
  }
}
