package dev.sparkmla.engine;

import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.ResultBatch;
import java.time.Duration;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.arrow.memory.BufferAllocator;

/**
 * A batch that was submitted: the results of its rows until they are delivered, and the future that
 * is done when all are.
 *
 * <p>Results are set and delivered by one thread at a time, by the intake's until it hands the rows
 * to the stepping thread, then by that. The rest is thread-safe.
 *
 * <p><b>Ownership.</b> It holds no Arrow memory. The {@link ResultBatch} that it writes belongs to
 * the consumer.
 */
final class GenerationBatch {
  private final BufferAllocator parent;
  private final RowCounters counters;
  private final Consumer<ResultBatch> consumer;
  private final long start = System.nanoTime();

  /** By row and variant; null where one is not there yet. A NULL row has no variants. */
  private final GenerationResult[][] results;

  /** Rows that are whole and not delivered. */
  private final BitSet ended = new BitSet();

  private final CompletableFuture<Void> future = new CompletableFuture<>();

  /** Rows without a result. Written by one thread at a time. */
  private volatile int missing;

  /**
   * @param rows how many
   * @param parent allocator under which results are written
   * @param counters count its rows as they end, while somebody waits for them
   * @param consumer gets the results, some rows at a time, and owns them; it must be short
   */
  GenerationBatch(
      int rows, BufferAllocator parent, RowCounters counters, Consumer<ResultBatch> consumer) {
    this.parent = parent;
    this.counters = counters;
    this.consumer = consumer;
    this.results = new GenerationResult[rows][1];
    this.missing = rows;
  }

  /** Done when the results of all rows are delivered. */
  CompletableFuture<Void> future() {
    return future;
  }

  /** Whether nobody waits for further results: all are delivered, or it failed or was cancelled. */
  boolean isDone() {
    return future.isDone();
  }

  /** Rows that somebody still waits for. */
  int unfinished() {
    return isDone() ? 0 : missing;
  }

  /** Says, before any of them is set, that a row has so many variants; otherwise it has one. */
  void expectVariants(int row, int variants) {
    results[row] = new GenerationResult[variants];
  }

  /** Makes a row NULL. */
  void setNull(int row) {
    results[row] = new GenerationResult[0];
    end(row);
  }

  /**
   * Sets the result of a row's variant, once.
   *
   * @return whether that was the last of the row's variants
   */
  boolean set(int row, int variant, GenerationResult result) {
    results[row][variant] = result;
    boolean whole = Arrays.stream(results[row]).allMatch(Objects::nonNull);
    if (whole) {
      end(row);
      if (!isDone()) {
        counters.add(results[row], Duration.ofNanos(System.nanoTime() - start));
      }
    }
    return whole;
  }

  @SuppressWarnings("NonAtomicOperationOnVolatileField") // One thread at a time writes it.
  private void end(int row) {
    ended.set(row);
    missing--;
  }

  /** Delivers the rows that ended since the last call, if there are any and somebody waits. */
  void deliver() {
    if (isDone()) {
      return;
    }
    try {
      if (!ended.isEmpty()) {
        int[] numbers = ended.stream().toArray();
        ended.clear();
        List<List<GenerationResult>> rows =
            Arrays.stream(numbers).mapToObj(row -> Arrays.asList(results[row])).toList();
        consumer.accept(ResultBatch.of(numbers, rows, parent));
        for (int row : numbers) {
          results[row] = null;
        }
      }
      if (missing == 0) {
        future.complete(null);
      }
    } catch (RuntimeException | Error problem) {
      fail(problem);
    }
  }

  /** Completes the future exceptionally, unless it is done. */
  void fail(Throwable reason) {
    future.completeExceptionally(reason);
  }
}
