package dev.sparkmla.engine;

import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.ResultBatch;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.apache.arrow.memory.BufferAllocator;

/**
 * A batch that was submitted: the results of its rows as they come, and the future of them all.
 *
 * <p>Results are set by one thread at a time, by the intake's until it hands the rows to the
 * stepping thread, then by that. The rest is thread-safe.
 *
 * <p><b>Ownership.</b> It holds no Arrow memory. The {@link ResultBatch} that it writes at the end
 * belongs to whoever gets it from the future; where the future was cancelled or failed before, it
 * is closed here.
 */
final class GenerationBatch {
  private final BufferAllocator parent;
  private final RowCounters counters;
  private final long start = System.nanoTime();

  /** By row and variant; null where one is not there yet. A NULL row has no variants. */
  private final GenerationResult[][] results;

  private final CompletableFuture<ResultBatch> future = new CompletableFuture<>();

  /** Rows without a result. Written by one thread at a time. */
  private volatile int missing;

  /**
   * @param rows how many
   * @param parent allocator under which the results are held
   * @param counters count its rows as they end
   */
  GenerationBatch(int rows, BufferAllocator parent, RowCounters counters) {
    this.parent = parent;
    this.counters = counters;
    this.results = new GenerationResult[rows][1];
    this.missing = rows;
  }

  CompletableFuture<ResultBatch> future() {
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
  @SuppressWarnings("NonAtomicOperationOnVolatileField") // One thread at a time writes it.
  void setNull(int row) {
    results[row] = new GenerationResult[0];
    missing--;
  }

  /** Sets the result of a row's variant, once. */
  @SuppressWarnings("NonAtomicOperationOnVolatileField") // One thread at a time writes it.
  void set(int row, int variant, GenerationResult result) {
    results[row][variant] = result;
    if (Arrays.stream(results[row]).allMatch(Objects::nonNull)) {
      missing--;
      counters.add(results[row], Duration.ofNanos(System.nanoTime() - start));
    }
  }

  /** Completes the future where every row has its result. */
  void deliverIfWhole() {
    if (missing > 0 || isDone()) {
      return;
    }
    try {
      ResultBatch whole =
          ResultBatch.of(Arrays.stream(results).map(Arrays::asList).toList(), parent);
      if (!future.complete(whole)) {
        whole.close();
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
