package dev.sparkmla.sql;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.SortedMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.executor.ShuffleWriteMetrics;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.util.collection.unsafe.sort.UnsafeSorterSpillReader;
import org.apache.spark.util.collection.unsafe.sort.UnsafeSorterSpillWriter;

/**
 * Rows in a local file of Spark's, compressed and encrypted as its settings say, in the order of
 * their numbers. It owns the file and deletes it. Not thread-safe.
 */
final class SpilledRows implements Closeable {
  private static final int BUFFER_BYTES = 1 << 20;

  private final File file;
  private final UnsafeSorterSpillReader reader;
  private final int columns;
  private boolean empty;

  private SpilledRows(File file, UnsafeSorterSpillReader reader, int columns) throws IOException {
    this.file = file;
    this.reader = reader;
    this.columns = columns;
    advance();
  }

  /**
   * Writes rows.
   *
   * @param rows by number, at least one
   * @param columns of a row
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
      return new SpilledRows(
          writer.getFile(), writer.getReader(SparkEnv.get().serializerManager()), columns);
    } catch (IOException | RuntimeException problem) {
      writer.getFile().delete();
      throw problem;
    }
  }

  private void advance() throws IOException {
    empty = !reader.hasNext();
    if (!empty) {
      reader.loadNext();
    }
  }

  /** Whether all rows were taken. */
  boolean isEmpty() {
    return empty;
  }

  /** The number of the next row, if there is one. */
  long number() {
    return reader.getKeyPrefix();
  }

  /** Takes the next row: a copy. */
  UnsafeRow take() throws IOException {
    UnsafeRow row = new UnsafeRow(columns);
    row.pointTo(reader.getBaseObject(), reader.getBaseOffset(), reader.getRecordLength());
    UnsafeRow taken = row.copy();
    advance();
    return taken;
  }

  @Override
  public void close() {
    try {
      reader.close();
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    } finally {
      file.delete();
    }
  }
}
