package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * Passes results from the engine's threads to the task's thread, which waits for them here.
 * Thread-safe.
 *
 * <p><b>Ownership.</b> It owns results that were added and not yet polled. Results that are added
 * after it was closed are closed at once.
 */
final class ResultInbox implements AutoCloseable {
  private final Deque<Results> arrived = new ArrayDeque<>();
  private Optional<Throwable> failure = Optional.empty();
  private boolean woken;
  private boolean closed;

  /**
   * The results of some rows of a batch.
   *
   * @param batch the input rows
   * @param results the results; the number of each says which row of the batch it belongs to
   */
  record Results(RowBatch batch, ResultBatch results) {}

  /** Adds results and takes ownership of them. */
  synchronized void add(Results results) {
    if (closed) {
      results.results().close();
    } else {
      arrived.add(results);
      wake();
    }
  }

  /** Notes that some results will never come. Only the first reason is kept. */
  synchronized void fail(Throwable reason) {
    if (failure.isEmpty()) {
      failure = Optional.of(reason);
    }
    wake();
  }

  /** Wakes the task's thread, so that it checks its state again. */
  synchronized void wake() {
    woken = true;
    notifyAll();
  }

  /** Removes the results that came first, if there are any. They are the caller's from here on. */
  synchronized Optional<Results> poll() {
    return Optional.ofNullable(arrived.poll());
  }

  /** Why some results will never come; empty unless {@link #fail} was called. */
  synchronized Optional<Throwable> failure() {
    return failure;
  }

  /** Waits until results, a failure or a wake-up has come since the last call. */
  synchronized void await() throws InterruptedException {
    while (!woken) {
      wait();
    }
    woken = false;
  }

  @Override
  public synchronized void close() {
    closed = true;
    arrived.forEach(results -> results.results().close());
    arrived.clear();
  }
}
