package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One of an executor's engines, the claim on the GPU it computes on, and how busy it is.
 *
 * <p>An engine that fails takes no further rows. It is closed at once, on a separate thread, and
 * its GPU is released, so that another process may claim it.
 *
 * <p>Thread-safe. It owns the engine and the claim.
 */
final class EngineSlot implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(EngineSlot.class);

  private final TextGenerator engine;
  private final Optional<GpuClaim> claim;
  private final AtomicInteger rows = new AtomicInteger();
  private final AtomicBoolean failed = new AtomicBoolean();
  private boolean closed;

  EngineSlot(TextGenerator engine, Optional<GpuClaim> claim) {
    this.engine = engine;
    this.claim = claim;
  }

  /** The UUID of the GPU as nvidia-smi spells it; empty on a processor. */
  Optional<String> gpu() {
    return claim.map(held -> held.device().uuidText());
  }

  /** The device that it computes on, as a person names it. */
  String device() {
    return claim.map(held -> held.device().name()).orElse("processor");
  }

  /** How many rows it was given that have not ended. */
  int busy() {
    return rows.get();
  }

  /** Whether it has fewer rows than it needs so that no sequence waits for one. */
  boolean hasRoom() {
    return busy() < RowDemand.rowsFor(engine.maxSequences());
  }

  int maxSequences() {
    return engine.maxSequences();
  }

  /** Whether its engine has failed and takes no further rows. */
  boolean hasFailed() {
    return failed.get();
  }

  EngineStatistics statistics() {
    return engine.statistics();
  }

  /** As {@link TextGenerator#submit}. */
  CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
    AtomicInteger unfinished = new AtomicInteger(requests.rows());
    rows.addAndGet(requests.rows());
    CompletableFuture<Void> end =
        engine.submit(
            requests,
            results -> {
              // None is left where the batch was cancelled meanwhile, and all were counted then.
              int left = unfinished.getAndUpdate(all -> Math.max(0, all - results.rows()));
              rows.addAndGet(-Math.min(left, results.rows()));
              ended.accept(results);
            });
    notice(end, unfinished);
    return end;
  }

  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the end here cannot fail.
  private void notice(CompletableFuture<Void> end, AtomicInteger unfinished) {
    end.whenComplete(
        (all, problem) -> {
          rows.addAndGet(-unfinished.getAndSet(0));
          if (problem instanceof EngineFailedException) {
            retire();
          }
        });
  }

  /**
   * Closes the engine on a thread of its own. The caller is the engine's thread, which must not
   * wait for a close that waits for it.
   */
  private void retire() {
    if (failed.compareAndSet(false, true)) {
      LOGGER.error("The engine on {} failed and gets no more rows", gpu().orElse("the processor"));
      Thread closing = new Thread(this::closeFailed, "mla-retire");
      closing.setDaemon(true);
      closing.start();
    }
  }

  private void closeFailed() {
    try {
      close();
    } catch (RuntimeException problem) {
      LOGGER.warn("The failed engine cannot be closed", problem);
    }
  }

  /** Closes the engine and releases the GPU, even if closing fails. Closing again does nothing. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      engine.close();
    } finally {
      claim.ifPresent(GpuClaim::close);
    }
  }
}
