package dev.sparkmla.jobs.input;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.from_json;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.when;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
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
 * @param blocks where the rows are
 */
public record Documents(
    Dataset<Row> rows,
    List<String> columns,
    List<String> carried,
    boolean asWritten,
    String promptColumn,
    List<RowBlock> blocks) {

  /** What the names of the job's own columns begin with. */
  private static final String OWN = "__spark_mla_";

  /**
   * STRING: a prompt to be continued as it stands; NULL where it is a conversation or there is
   * none.
   */
  public static final String TEXT = OWN + "text";

  /** A prompt that is a conversation, of a type that {@code llm_generate} takes. */
  public static final String CONVERSATION = OWN + "conversation";

  /** STRUCT&lt;code STRING, message STRING&gt;: why a row cannot be generated from, else NULL. */
  public static final String REFUSAL = OWN + "refusal";

  /**
   * STRING: a JSON object as it is written, without its braces, and a comma after it; empty for an
   * object without members and where there is none.
   */
  public static final String MEMBERS = OWN + "members";

  /** The code of a row that cannot be read. */
  static final String BROKEN_ROW = "BROKEN_ROW";

  /** The code of a row whose prompt is none. */
  static final String INVALID_PROMPT = "INVALID_PROMPT";

  /** The type of {@link #REFUSAL}. */
  static final StructType REFUSAL_TYPE =
      new StructType().add("code", DataTypes.StringType).add("message", DataTypes.StringType);

  private static final int LISTED = 100;

  private static final String MOST_BYTES = "spark.sql.files.maxPartitionBytes";
  private static final String OPEN_COST = "spark.sql.files.openCostInBytes";
  private static final long BLOCK_BYTES = 32 << 20;

  /** Spark packs files into a partition until their bytes and this for each exceed its size. */
  private static final long ONE_BLOCK_A_PARTITION = 1L << 40;

  /** Copies the lists. */
  public Documents {
    columns = List.copyOf(columns);
    carried = List.copyOf(carried);
    blocks = List.copyOf(blocks);
  }

  /** How many rows there are. */
  public long count() {
    return blocks.stream().mapToLong(RowBlock::rows).sum();
  }

  /**
   * Opens an input. It is read once to count its rows and, where it is JSON, to find its columns.
   *
   * @throws InputException when it holds no prompts, or columns that cannot be carried
   */
  public static Documents open(
      SparkSession spark, InputFiles files, InputFormat format, ReadOptions options) {
    divideFinely(spark);
    return switch (format) {
      case JSON -> JsonDocuments.open(spark, files, options);
      case PARQUET -> ParquetDocuments.open(spark, files, options);
      case CSV -> CsvDocuments.open(spark, files, options);
      case TEXT -> TextDocuments.open(spark, files, options);
    };
  }

  /**
   * Whether an input's column may have a name: Spark takes no empty one, and some are the job's.
   */
  static boolean mayBeColumn(String name) {
    return !name.isEmpty() && !name.toLowerCase(Locale.ROOT).startsWith(OWN);
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

  /**
   * Makes a block of a file, of at most 32 MiB where files can be split, a partition of its own: a
   * task that takes rows out of the midst of a partition reads what comes before them too.
   */
  private static void divideFinely(SparkSession spark) {
    spark.conf().set(OPEN_COST, ONE_BLOCK_A_PARTITION);
    if (!spark.conf().contains(MOST_BYTES)) {
      spark.conf().set(MOST_BYTES, BLOCK_BYTES);
    }
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
   * @param table has {@code columns}, {@link Lines#FILE} and {@link Lines#BLOCK}
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
    List<Column> made = new ArrayList<>();
    columns.forEach(column -> made.add(named(column)));
    made.add(when(broken.isNull(), prompt).as(kind));
    made.add(
        when(broken.isNotNull(), struct(lit(BROKEN_ROW).as("code"), broken.as("message")))
            .as(REFUSAL));
    return new Documents(
        table.select(made.toArray(Column[]::new)),
        columns,
        columns,
        false,
        promptColumn,
        blocks(table, promptColumn));
  }

  private static List<RowBlock> blocks(Dataset<Row> table, String promptColumn) {
    // A named column makes Spark read each row as it will when it generates.
    Dataset<Row> places = table.select(col(Lines.FILE), col(Lines.BLOCK), named(promptColumn));
    List<RowBlock> blocks = new ArrayList<>();
    RowBlock.scan(places.javaRDD().mapPartitionsWithIndex(Documents::blocks, true))
        .forEach(blocks::addAll);
    return blocks;
  }

  private static Iterator<List<RowBlock>> blocks(int partition, Iterator<Row> places) {
    List<RowBlock> blocks = new ArrayList<>();
    String file = null;
    long start = 0;
    long before = 0;
    long rows = 0;
    while (places.hasNext()) {
      Row place = places.next();
      if (!place.getString(0).equals(file) || place.getLong(1) != start) {
        if (rows > 0) {
          blocks.add(new RowBlock(InputFiles.spelled(file), start, partition, before, rows));
        }
        file = place.getString(0);
        start = place.getLong(1);
        before += rows;
        rows = 0;
      }
      rows++;
    }
    if (rows > 0) {
      blocks.add(new RowBlock(InputFiles.spelled(file), start, partition, before, rows));
    }
    return List.of(blocks).iterator();
  }

  /** A name as SQL takes it, whatever letters it has. */
  public static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }
}
