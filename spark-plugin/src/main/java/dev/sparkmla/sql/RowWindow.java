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
 * Bounds the memory of the rows that a task has read and not yet passed on. Of rows in the engine
 * it only counts the bytes. Output rows that wait for an earlier row are held here: in memory and,
 * when they exceed their half of the limit or Spark needs the memory, in local files, sorted by row
 * number.
 *
 * <p>Rows in the engine may take one half of the limit and waiting rows the other half, and each
 * may exceed its half by one row. So neither displaces the other, and files are not small.
 *
 * <p>It is used by the task's thread, except that any thread of the task may call {@link #spill}.
 * Such a thread holds the memory manager's lock and then takes that of this object. So memory is
 * acquired, which takes the manager's lock, only without holding that of this object.
 */
final class RowWindow extends MemoryConsumer implements AutoCloseable {
  /** Bytes of the objects and references around a row's own bytes. */
  private static final int ROW_OVERHEAD = 128;

  private final long limit;
  private final int columns;
  private final TaskMetrics metrics;
  private final TreeMap<Long, UnsafeRow> waiting = new TreeMap<>();

  /** The file with the lowest next row number comes first. */
  private final PriorityQueue<SpilledRows> spilled =
      new PriorityQueue<>(Comparator.comparingLong(SpilledRows::number));

  private long inEngineBytes;
  private long waitingBytes;
  private long mostBytes;

  /**
   * @param memory the memory manager of the task
   * @param limit how many bytes are held at most
   * @param columns number of columns of an output row
   * @param metrics where spilled bytes and the peak of held bytes are counted
   */
  RowWindow(TaskMemoryManager memory, long limit, int columns, TaskMetrics metrics) {
    super(memory, MemoryMode.ON_HEAP);
    this.limit = limit;
    this.columns = columns;
    this.metrics = metrics;
  }

  /** How many bytes a row takes in memory. */
  static long bytes(UnsafeRow row) {
    return row.getSizeInBytes() + ROW_OVERHEAD;
  }

  /**
   * How many bytes further rows in the engine may take; not positive when they may take none, as
   * while Spark grants less memory than is held.
   */
  long room() {
    acquire();
    synchronized (this) {
      return getUsed() < held() ? 0 : limit / 2 - inEngineBytes;
    }
  }

  /** Whether so many rows wait that some should be passed on before others are read. */
  synchronized boolean isCrowded() {
    return !spilled.isEmpty() || waitingBytes > limit / 4;
  }

  /** How many bytes the rows in memory take. */
  synchronized long held() {
    return inEngineBytes + waitingBytes;
  }

  /** Adds bytes of rows that go to the engine. */
  void enter(long bytes) {
    synchronized (this) {
      inEngineBytes += bytes;
      mostBytes = Math.max(mostBytes, held());
    }
    acquire();
  }

  /** Subtracts bytes of rows that have left the engine. */
  synchronized void leave(long bytes) {
    inEngineBytes -= bytes;
    free();
  }

  /**
   * Holds an output row until it is taken. Nobody else may change the row.
   *
   * @throws UncheckedIOException of a {@link ScratchException} when rows cannot be written to disk
   */
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

  /**
   * Takes the row of this number, which must not be above that of any waiting row; empty if it does
   * not wait.
   *
   * @throws UncheckedIOException of a {@link ScratchException} when it cannot be read from disk
   */
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
      throw new UncheckedIOException(ScratchException.of(problem));
    }
  }

  /**
   * Writes all waiting rows in memory to a file.
   *
   * @return how many bytes of memory that frees
   * @throws ScratchException when they cannot be written
   */
  @Override
  public synchronized long spill(long size, MemoryConsumer trigger) throws ScratchException {
    if (waiting.isEmpty()) {
      return 0;
    }
    try {
      spilled.add(SpilledRows.write(waiting, columns, metrics));
    } catch (IOException problem) {
      throw ScratchException.of(problem);
    }
    waiting.clear();
    long freed = waitingBytes;
    waitingBytes = 0;
    metrics.incMemoryBytesSpilled(freed);
    free();
    return freed;
  }

  /** Asks Spark for the bytes that are held and not granted yet. */
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

  /** Gives all memory back to Spark and deletes the files. */
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
