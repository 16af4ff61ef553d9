package dev.sparkmla.jobs.input;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The rows of an input by their numbers, which count the files one after another and in each file
 * its rows from the first. So a number depends on the files alone, not on how a reading divides
 * them into partitions. Immutable.
 */
public final class NumberedRows {
  /** BIGINT: a row's number. */
  public static final String NUMBER = "__spark_mla_number";

  private static final int ROWS_OF_A_TASK = 2048;

  /** A file that cannot be split is read up to a task's rows by each task. */
  private static final int TASKS_OF_A_BLOCK = 64;

  private final Documents documents;
  private final List<Numbered> blocks = new ArrayList<>();
  private final Map<String, Long> rowsOfFiles = new LinkedHashMap<>();
  private final long count;

  /** A block whose rows have these numbers. */
  private record Numbered(RowBlock block, RowRange range) {}

  /**
   * Numbers rows.
   *
   * @param files all files of the input as a person writes them, in the order of the numbers
   */
  public NumberedRows(Documents documents, List<String> files) {
    this.documents = documents;
    Map<String, Integer> order = new LinkedHashMap<>();
    files.forEach(
        file -> {
          order.put(file, order.size());
          rowsOfFiles.put(file, 0L);
        });
    List<RowBlock> sorted = new ArrayList<>(documents.blocks());
    sorted.sort(
        Comparator.comparing((RowBlock block) -> order.get(block.file()))
            .thenComparing(RowBlock::start));
    long number = 0;
    for (RowBlock block : sorted) {
      blocks.add(new Numbered(block, new RowRange(number, number + block.rows())));
      rowsOfFiles.merge(block.file(), block.rows(), Long::sum);
      number += block.rows();
    }
    count = number;
  }

  /** How many rows there are. */
  public long count() {
    return count;
  }

  /** How many rows each file has, in the order of the numbers. */
  public Map<String, Long> rowsOfFiles() {
    return new LinkedHashMap<>(rowsOfFiles);
  }

  /**
   * Divides ranges into tasks: enough for every slot, few enough to keep the engine's batches full.
   *
   * @param slots tasks that run at once
   */
  public List<RowRange> divide(List<RowRange> ranges, int slots) {
    long rows = ranges.stream().mapToLong(RowRange::rows).sum();
    long tasks = Math.max(slots, ceilDiv(rows, ROWS_OF_A_TASK));
    long most = Math.max(1, ceilDiv(rows, Math.max(1, tasks)));
    List<RowRange> divided = new ArrayList<>();
    for (RowRange range : ranges) {
      for (long first = range.first(); first < range.end(); ) {
        long blockRows = blocks.get(blockOf(first)).range().rows();
        long size = Math.max(most, ceilDiv(blockRows, Math.max(slots, TASKS_OF_A_BLOCK)));
        long end = Math.min(range.end(), first + size);
        divided.add(new RowRange(first, end));
        first = end;
      }
    }
    return divided;
  }

  /**
   * Reads rows, of each range in a task of its own and in order. The columns are those of {@link
   * Documents#rows} and {@link #NUMBER}.
   *
   * @param remaining what a task does that is tried again
   */
  public Dataset<Row> read(SparkSession spark, List<RowRange> tasks, RemainingRows remaining) {
    RDD<InternalRow> rows =
        ((org.apache.spark.sql.classic.Dataset<Row>) documents.rows()).queryExecution().toRdd();
    List<List<RowRangesRdd.Piece>> pieces = tasks.stream().map(this::pieces).toList();
    StructType schema = documents.rows().schema().add(NUMBER, DataTypes.LongType, false);
    return ((org.apache.spark.sql.classic.SparkSession) spark)
        .internalCreateDataFrame(new RowRangesRdd(rows, pieces, remaining), schema, false);
  }

  private List<RowRangesRdd.Piece> pieces(RowRange range) {
    List<RowRangesRdd.Piece> pieces = new ArrayList<>();
    for (int i = blockOf(range.first());
        i < blocks.size() && blocks.get(i).range().first() < range.end();
        i++) {
      Numbered numbered = blocks.get(i);
      RowRange part = numbered.range().intersect(range).orElseThrow();
      long skipped = numbered.block().before() + part.first() - numbered.range().first();
      pieces.add(
          new RowRangesRdd.Piece(
              part, numbered.block().partition(), skipped, numbered.block().file()));
    }
    return pieces;
  }

  private int blockOf(long number) {
    int low = 0;
    int high = blocks.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (blocks.get(middle).range().first() <= number) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private static long ceilDiv(long dividend, long divisor) {
    return (dividend + divisor - 1) / divisor;
  }
}
