package dev.sparkmla.sql;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;

/**
 * The input rows of a request batch, which wait for their results. Rows have numbers, in the order
 * in which the task reads them, from 0. For the task's thread.
 */
final class RowBatch {
  private final long first;
  private final UnsafeRow[] rows;
  private final long bytes;

  /**
   * @param first the number of the first row
   * @param rows copies of the rows
   * @param bytes how many bytes the rows and their arguments take together
   */
  RowBatch(long first, List<UnsafeRow> rows, long bytes) {
    this.first = first;
    this.rows = rows.toArray(UnsafeRow[]::new);
    this.bytes = bytes;
  }

  /** The number of the first row. */
  long first() {
    return first;
  }

  int size() {
    return rows.length;
  }

  /** How many bytes the rows and their arguments take together. */
  long bytes() {
    return bytes;
  }

  /**
   * The share of {@link #bytes()} of the rows {@code from .. to - 1} of the batch. Shares of
   * adjacent ranges add up exactly.
   */
  long bytes(int from, int to) {
    return bytes * to / rows.length - bytes * from / rows.length;
  }

  /** Hands over a row of the batch; each may be taken once. */
  UnsafeRow take(int row) {
    UnsafeRow taken = rows[row];
    rows[row] = null;
    return taken;
  }
}
