package dev.sparkmla.sql;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Comparator;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.TreeMap;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.memory.MemoryConsumer;
import org.apache.spark.memory.MemoryMode;
import org.apache.spark.memory.TaskMemoryManager;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;

/**
 * The memory of the rows that a task has read and not passed on. Rows in the engine are counted.
 * Output rows that wait for an earlier one are kept too: in memory and, where they are too many or
 * Spark needs the memory, in files sorted by the rows' numbers.
 *
 * <p>Rows in the engine may take one half of the limit and rows that wait the other, each exceeded
 * by one row at most. So neither takes the other's room, and a file is not small.
 *
 * <p>The task's thread uses it. {@link #spill} may be called by any thread of the task, which then
 * holds a lock of the memory manager: memory is acquired without the lock that this takes.
 */
final class RowWindow extends MemoryConsumer implements AutoCloseable {
  /** Objects and references around a row's bytes. */
  private static final int ROW_OVERHEAD = 128;

  private final long limit;
  private final int columns;
  private final TaskMetrics metrics;
  private final TreeMap<Long, UnsafeRow> waiting = new TreeMap<>();

  /** The file that has the lowest number first. */
  private final PriorityQueue<SpilledRows> spilled =
      new PriorityQueue<>(Comparator.comparingLong(SpilledRows::number));

  private long inEngineBytes;
  private long waitingBytes;
  private long mostBytes;

  /**
   * @param memory the task's
   * @param limit bytes to hold at most
   * @param columns of an output row
   * @param metrics where spilled bytes and the most bytes that were held are counted
   */
  RowWindow(TaskMemoryManager memory, long limit, int columns, TaskMetrics metrics) {
    super(memory, MemoryMode.ON_HEAP);
    this.limit = limit;
    this.columns = columns;
    this.metrics = metrics;
  }

  /** Bytes that a row takes in memory. */
  static long bytes(UnsafeRow row) {
    return row.getSizeInBytes() + ROW_OVERHEAD;
  }

  /** Bytes that further rows in the engine may take; none while Spark grants less than is held. */
  long room() {
    acquire();
    synchronized (this) {
      return getUsed() < held() ? 0 : limit / 2 - inEngineBytes;
    }
  }

  /** Whether so many rows wait that they should be passed on before others are read. */
  synchronized boolean isCrowded() {
    return !spilled.isEmpty() || waitingBytes > limit / 4;
  }

  /** Bytes in memory. */
  synchronized long held() {
    return inEngineBytes + waitingBytes;
  }

  /** Counts bytes of rows that go to the engine. */
  void enter(long bytes) {
    synchronized (this) {
      inEngineBytes += bytes;
      mostBytes = Math.max(mostBytes, held());
    }
    acquire();
  }

  /** Counts them no more: the rows were passed on, or wait. */
  synchronized void leave(long bytes) {
    inEngineBytes -= bytes;
    free();
  }

  /** Keeps an output row, which nobody else changes, until it is taken. */
  void add(long number, UnsafeRow row) {
    boolean full;
    synchronized (this) {
      waiting.put(number, row);
      waitingBytes += bytes(row);
      mostBytes = Math.max(mostBytes, held());
      full = waitingBytes > limit / 2;
    }
    try {
      if (full) {
        spill();
      }
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
    acquire();
  }

  /** The row of this number, if it waits, which is the lowest of those that do. */
  synchronized Optional<UnsafeRow> take(long number) {
    UnsafeRow row = waiting.remove(number);
    if (row != null) {
      waitingBytes -= bytes(row);
      free();
      return Optional.of(row);
    }
    if (spilled.isEmpty() || spilled.peek().number() != number) {
      return Optional.empty();
    }
    SpilledRows file = spilled.poll();
    try {
      row = file.take();
      if (file.isEmpty()) {
        file.close();
      } else {
        spilled.add(file);
      }
      return Optional.of(row);
    } catch (IOException problem) {
      file.close();
      throw new UncheckedIOException(problem);
    }
  }

  /** Writes all rows that wait in memory to a file. */
  @Override
  public synchronized long spill(long size, MemoryConsumer trigger) throws IOException {
    if (waiting.isEmpty()) {
      return 0;
    }
    spilled.add(SpilledRows.write(waiting, columns, metrics));
    waiting.clear();
    long freed = waitingBytes;
    waitingBytes = 0;
    metrics.incMemoryBytesSpilled(freed);
    free();
    return freed;
  }

  /** Asks Spark for what is held and was not granted. */
  private void acquire() {
    long missing = held() - getUsed();
    if (missing > 0) {
      acquireMemory(missing);
    }
  }

  private void free() {
    long excess = getUsed() - held();
    if (excess > 0) {
      freeMemory(excess);
    }
  }

  /** Gives all memory back and deletes the files. */
  @Override
  public synchronized void close() {
    spilled.forEach(SpilledRows::close);
    spilled.clear();
    waiting.clear();
    waitingBytes = 0;
    inEngineBytes = 0;
    free();
    metrics.incPeakExecutionMemory(mostBytes);
    mostBytes = 0;
  }
}
