package dev.sparkmla.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The batches that an engine has taken and not answered, and their rows on the way from the intake
 * to the stepping thread. It is not bounded: whoever submits rows bounds them.
 *
 * <p>It ends once, for a reason that stays; every batch that is open then is failed with it,
 * however the threads end, and so is every later one.
 *
 * <p>Thread-safe.
 */
final class GenerationQueue {
  private final Set<GenerationBatch> open = ConcurrentHashMap.newKeySet();

  /** Guards the fields below, and is notified when one of them changes. */
  private final Object lock = new Object();

  private final List<Generation> ready = new ArrayList<>();
  private boolean someAbandoned;
  private Optional<RuntimeException> end = Optional.empty();

  /**
   * What the stepping thread finds.
   *
   * @param rows that arrived, in order
   * @param someAbandoned whether batches were cancelled, or failed, since it looked last
   */
  record Arrivals(List<Generation> rows, boolean someAbandoned) {}

  /**
   * Takes a batch in, before any of its rows. Where the queue has ended, the batch is failed.
   *
   * @return whether the batch still waits for results
   */
  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the future here cannot fail.
  boolean open(GenerationBatch batch) {
    open.add(batch);
    batch
        .future()
        .whenComplete(
            (results, failure) -> {
              open.remove(batch);
              if (failure != null) {
                noteAbandoned();
              }
            });
    // After it was added: an end that is not seen here sees the batch.
    endReason().ifPresent(batch::fail);
    return !batch.isDone();
  }

  private void noteAbandoned() {
    synchronized (lock) {
      someAbandoned = true;
      lock.notifyAll();
    }
  }

  /** Rows of all batches that nobody has answered. */
  int unfinishedRows() {
    return open.stream().mapToInt(GenerationBatch::unfinished).sum();
  }

  /**
   * Hands rows of a batch to the stepping thread. The batch may have been cancelled meanwhile, and
   * the stepping thread told so before.
   */
  void add(List<Generation> rows) {
    synchronized (lock) {
      ready.addAll(rows);
      lock.notifyAll();
    }
  }

  /**
   * What has arrived since the last call.
   *
   * @param wait whether to wait until something arrives or is abandoned, or the queue ends
   * @return empty when the queue has ended
   */
  Optional<Arrivals> take(boolean wait) throws InterruptedException {
    synchronized (lock) {
      while (wait && ready.isEmpty() && !someAbandoned && end.isEmpty()) {
        lock.wait();
      }
      if (end.isPresent()) {
        return Optional.empty();
      }
      Arrivals arrivals = new Arrivals(List.copyOf(ready), someAbandoned);
      ready.clear();
      someAbandoned = false;
      return Optional.of(arrivals);
    }
  }

  /** Ends the queue. Only the first reason counts. */
  void end(RuntimeException reason) {
    synchronized (lock) {
      if (end.isEmpty()) {
        end = Optional.of(reason);
      }
      lock.notifyAll();
    }
  }

  /** Why the queue has ended; empty while it has not. */
  Optional<RuntimeException> endReason() {
    synchronized (lock) {
      return end;
    }
  }

  /** Fails every open batch with the reason of the end. */
  void failOpen() {
    RuntimeException reason = endReason().orElseThrow();
    open.forEach(batch -> batch.fail(reason));
  }
}
