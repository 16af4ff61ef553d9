package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * Results on their way from the engine's threads to a task's, which waits here. Thread-safe.
 *
 * <p><b>Ownership.</b> It owns results that were added and not taken. Those that are added after it
 * was closed are closed at once.
 */
final class ResultInbox implements AutoCloseable {
  private final Deque<Results> arrived = new ArrayDeque<>();
  private Optional<Throwable> failure = Optional.empty();
  private boolean woken;
  private boolean closed;

  /**
   * Results of some rows of a batch.
   *
   * @param batch the rows
   * @param results of which row each is, its number says
   */
  record Results(RowBatch batch, ResultBatch results) {}

  /** Adds results, which it owns from here on. */
  synchronized void add(Results results) {
    if (closed) {
      results.results().close();
    } else {
      arrived.add(results);
      wake();
    }
  }

  /** Says that results will never come. Only the first reason counts. */
  synchronized void fail(Throwable reason) {
    if (failure.isEmpty()) {
      failure = Optional.of(reason);
    }
    wake();
  }

  /** Wakes the task, which looks around. */
  synchronized void wake() {
    woken = true;
    notifyAll();
  }

  /** The results that came first; they are the caller's. */
  synchronized Optional<Results> poll() {
    return Optional.ofNullable(arrived.poll());
  }

  /** Why results will never come, if they will not. */
  synchronized Optional<Throwable> failure() {
    return failure;
  }

  /** Waits until something came or changed since the last call. */
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
