package dev.sparkmla.plugin;

import dev.sparkmla.plugin.location.ModelFingerprint;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's view of how the application's executors load the model. It refuses an executor whose
 * model differs from the application's, lets executors wait on a host where loads keep failing, and
 * reports when no executor can be expected to succeed: Spark alone would start executors for ever,
 * though none can load the model.
 *
 * <p>Thread-safe.
 */
final class LoadReports {
  /**
   * How many loads have to fail before the application gives up, or before executors wait on a
   * host.
   */
  static final int FAILURES = 4;

  /**
   * How long an executor waits after {@link #FAILURES} failures on its host; each further failure
   * doubles it.
   */
  static final Duration FIRST_WAIT = Duration.ofSeconds(30);

  /** How long an executor waits at most. */
  static final Duration LONGEST_WAIT = Duration.ofMinutes(30);

  private static final Logger LOGGER = LoggerFactory.getLogger(LoadReports.class);

  private final Consumer<String> giveUp;
  private final Map<String, Executor> executors = new LinkedHashMap<>();

  /** By host, how many loads have failed since the last one that succeeded. */
  private final Map<String, Integer> failures = new HashMap<>();

  private ModelFingerprint model;
  private String modelOf;

  /**
   * An executor that is loading or has loaded; {@code part} of the weights is read, from 0 to 1.
   */
  private record Executor(String host, double part, boolean loaded) {}

  /**
   * @param giveUp is called with the reason when no executor can be expected to succeed, and again
   *     after each further failure
   */
  LoadReports(Consumer<String> giveUp) {
    this.giveUp = giveUp;
  }

  /**
   * Notes that an executor is about to load the model.
   *
   * @return how long it has to wait first: zero, unless loads keep failing on its host while
   *     another executor may succeed
   */
  synchronized Duration begin(String executor, String host) {
    int failed = failures.getOrDefault(host, 0);
    boolean waits = failed >= FAILURES && canHope();
    executors.put(executor, new Executor(host, 0, false));
    if (!waits) {
      return Duration.ZERO;
    }
    Duration wait = FIRST_WAIT;
    for (int i = FAILURES; i < failed && wait.compareTo(LONGEST_WAIT) < 0; i++) {
      wait = wait.multipliedBy(2);
    }
    wait = wait.compareTo(LONGEST_WAIT) < 0 ? wait : LONGEST_WAIT;
    LOGGER.warn(
        "On the host {} the last {} executors could not load the model: executor {} waits {} s"
            + " before it tries; take the host out of the cluster, or repair it",
        host,
        failed,
        executor,
        wait.toSeconds());
    return wait;
  }

  /** Notes which part of the weights an executor has read, from 0 to 1. */
  synchronized void progress(String executor, double part) {
    executors.computeIfPresent(
        executor, (id, known) -> new Executor(known.host(), part, known.loaded()));
  }

  /** As {@link ModelLoading#describe}. */
  synchronized String describe() {
    OptionalDouble furthest = executors.values().stream().mapToDouble(Executor::part).max();
    if (furthest.isEmpty() || executors.values().stream().anyMatch(Executor::loaded)) {
      return "";
    }
    return String.format(
        Locale.ROOT,
        "loading the model on %d executor%s: %.0f %% of the weights read",
        executors.size(),
        executors.size() == 1 ? "" : "s",
        Math.floor(100 * furthest.getAsDouble()));
  }

  /**
   * Notes that an executor has loaded a model.
   *
   * @param loaded the model's fingerprint; null where there are no files to compare
   * @return empty when the executor may generate; else why not: its model differs from that of the
   *     application's first executor
   */
  synchronized String succeed(String executor, ModelFingerprint loaded) {
    String refusal = loaded == null ? "" : compare(name(executor), loaded);
    Executor known = executors.get(executor);
    if (refusal.isEmpty() && known != null) {
      executors.put(executor, new Executor(known.host(), 1, true));
      failures.remove(known.host());
    }
    return refusal;
  }

  private String compare(String executor, ModelFingerprint loaded) {
    if (model == null) {
      model = loaded;
      modelOf = executor;
    }
    String files = String.join(", ", loaded.differences(model));
    return files.isEmpty()
        ? ""
        : "the model of "
            + executor
            + " is another than that of "
            + modelOf
            + ", the first of this application: these files differ: "
            + files
            + "; give all hosts the same model";
  }

  /** Notes that an executor cannot load the model. */
  void fail(String executor, String reason) {
    String message;
    boolean isHopeless;
    synchronized (this) {
      message = "The model cannot be loaded on " + name(executor) + ": " + reason;
      Executor failed = executors.remove(executor);
      failures.merge(failed == null ? "" : failed.host(), 1, Integer::sum);
      isHopeless =
          failures.values().stream().mapToInt(Integer::intValue).sum() >= FAILURES && !canHope();
    }
    LOGGER.error(message);
    if (isHopeless) {
      giveUp.accept(message);
    }
  }

  /**
   * Notes that an executor has ended. If it was loading and has not reported a failure itself, that
   * counts as a failure.
   */
  void end(String executor) {
    boolean wasLoading;
    synchronized (this) {
      Executor ended = executors.get(executor);
      wasLoading = ended != null && !ended.loaded();
      if (!wasLoading) {
        executors.remove(executor);
      }
    }
    if (wasLoading) {
      fail(executor, "its process ended; see its log, and whether the host has enough memory");
    }
  }

  /** Whether an executor has loaded the model, or loads it on a host where none has failed. */
  private boolean canHope() {
    return executors.values().stream()
        .anyMatch(executor -> executor.loaded() || !failures.containsKey(executor.host()));
  }

  private String name(String executor) {
    Executor known = executors.get(executor);
    return "executor " + executor + (known == null ? "" : " on the host " + known.host());
  }
}
