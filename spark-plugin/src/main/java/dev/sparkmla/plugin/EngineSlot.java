package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;
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

  /** What an answer costs, whose length is not known: as much as so many bytes of a prompt. */
  private static final int ANSWER_BYTES = 2048;

  private final TextGenerator engine;
  private final Optional<GpuClaim> claim;
  private final AtomicLong work = new AtomicLong();
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

  /** The {@link #cost} of the rows that it was given and that have not ended. */
  long work() {
    return work.get();
  }

  /** What computing a row takes, about, in bytes of prompts. */
  static long cost(RequestBatch requests, int row) {
    return ANSWER_BYTES + requests.promptBytes(row);
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
    long[] costs =
        IntStream.range(0, requests.rows()).mapToLong(row -> cost(requests, row)).toArray();
    AtomicLong unfinished = new AtomicLong(Arrays.stream(costs).sum());
    work.addAndGet(unfinished.get());
    CompletableFuture<Void> end =
        engine.submit(
            requests,
            results -> {
              long ending = 0;
              for (int row = 0; row < results.rows(); row++) {
                ending += costs[results.number(row)];
              }
              finish(ending, unfinished);
              ended.accept(results);
            });
    notice(end, unfinished);
    return end;
  }

  /** Counts no row twice: none is left where the batch was cancelled meanwhile. */
  private void finish(long cost, AtomicLong unfinished) {
    long left = unfinished.getAndUpdate(all -> Math.max(0, all - cost));
    work.addAndGet(-Math.min(left, cost));
  }

  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the end here cannot fail.
  private void notice(CompletableFuture<Void> end, AtomicLong unfinished) {
    end.whenComplete(
        (all, problem) -> {
          work.addAndGet(-unfinished.getAndSet(0));
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
