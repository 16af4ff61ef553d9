package dev.sparkmla.plugin;

import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleConsumer;
import org.apache.spark.util.ThreadUtils;

/**
 * Reports once a second which part of the weights this process has read, on a thread of its own,
 * until it is closed. Thread-safe.
 */
final class LoadClock implements AutoCloseable {
  private final ScheduledExecutorService clock =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("mla-load-clock");

  /**
   * @param listener is called with the part, from 0 to 1
   */
  LoadClock(DoubleConsumer listener) {
    ScheduledFuture<?> unused =
        clock.scheduleAtFixedRate(
            () -> listener.accept(ApplicationModel.readPart()), 1, 1, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    clock.shutdownNow();
  }
}
