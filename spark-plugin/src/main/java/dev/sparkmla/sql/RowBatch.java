package dev.sparkmla.sql;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;

/**
 * Input rows of a task that were submitted as one request batch, until their results come. Used by
 * the task's thread.
 */
final class RowBatch {
  private final long first;
  private final UnsafeRow[] rows;
  private final long bytes;

  /**
   * @param first the number of the first among all rows of the task
   * @param rows copies of the rows
   * @param bytes that rows and arguments take together
   */
  RowBatch(long first, List<UnsafeRow> rows, long bytes) {
    this.first = first;
    this.rows = rows.toArray(UnsafeRow[]::new);
    this.bytes = bytes;
  }

  /** The number of the first row among all rows of the task. */
  long first() {
    return first;
  }

  int size() {
    return rows.length;
  }

  /** Bytes that rows and arguments take together. */
  long bytes() {
    return bytes;
  }

  /** The part of {@link #bytes()} of the rows {@code from .. to - 1}: parts add up. */
  long bytes(int from, int to) {
    return bytes * to / rows.length - bytes * from / rows.length;
  }

  /** Gives a row away, once. */
  UnsafeRow take(int row) {
    UnsafeRow taken = rows[row];
    rows[row] = null;
    return taken;
  }
}
