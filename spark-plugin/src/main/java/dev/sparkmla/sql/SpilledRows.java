package dev.sparkmla.sql;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.executor.ShuffleWriteMetrics;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.util.collection.unsafe.sort.UnsafeSorterSpillReader;
import org.apache.spark.util.collection.unsafe.sort.UnsafeSorterSpillWriter;

/**
 * Rows in a local file, in the order of their numbers. Spark's block manager writes it, compressed
 * and encrypted as Spark's settings say. This owns the file and deletes it when closed. Not
 * thread-safe.
 */
final class SpilledRows implements Closeable {
  private static final int BUFFER_BYTES = 1 << 20;

  private final UnsafeSorterSpillWriter written;
  private final int columns;

  /** Opened only when the first row is taken, because it has a buffer. */
  private Optional<UnsafeSorterSpillReader> reader = Optional.empty();

  private long number;
  private int left;

  private SpilledRows(UnsafeSorterSpillWriter written, int columns, long first) {
    this.written = written;
    this.columns = columns;
    this.number = first;
    this.left = written.recordsSpilled();
  }

  /**
   * Writes rows to a new file. On failure the file is deleted.
   *
   * @param rows the rows by number, at least one
   * @param columns number of columns of a row
   * @param metrics where the file's bytes are counted
   */
  static SpilledRows write(SortedMap<Long, UnsafeRow> rows, int columns, TaskMetrics metrics)
      throws IOException {
    ShuffleWriteMetrics written = new ShuffleWriteMetrics();
    UnsafeSorterSpillWriter writer =
        new UnsafeSorterSpillWriter(
            SparkEnv.get().blockManager(), BUFFER_BYTES, written, rows.size());
    try {
      try {
        for (Map.Entry<Long, UnsafeRow> row : rows.entrySet()) {
          UnsafeRow bytes = row.getValue();
          writer.write(
              bytes.getBaseObject(), bytes.getBaseOffset(), bytes.getSizeInBytes(), row.getKey());
        }
      } finally {
        writer.close();
      }
      metrics.incDiskBytesSpilled(written.bytesWritten());
      return new SpilledRows(writer, columns, rows.firstKey());
    } catch (IOException | RuntimeException problem) {
      writer.getFile().delete();
      throw problem;
    }
  }

  /** Whether all rows have been taken. */
  boolean isEmpty() {
    return left == 0;
  }

  /** The number of the next row; when all rows are taken, that of the last one. */
  long number() {
    return number;
  }

  /** Takes the next row, as a copy that is the caller's. */
  UnsafeRow take() throws IOException {
    if (reader.isEmpty()) {
      reader = Optional.of(written.getReader(SparkEnv.get().serializerManager()));
      reader.get().loadNext();
    }
    UnsafeSorterSpillReader next = reader.get();
    UnsafeRow row = new UnsafeRow(columns);
    row.pointTo(next.getBaseObject(), next.getBaseOffset(), next.getRecordLength());
    UnsafeRow taken = row.copy();
    left--;
    if (left > 0) {
      next.loadNext();
      number = next.getKeyPrefix();
    }
    return taken;
  }

  @Override
  public void close() {
    try {
      if (reader.isPresent()) {
        reader.get().close();
      }
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    } finally {
      written.getFile().delete();
    }
  }
}
