package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.util.kvstore.KVStore;
import org.apache.spark.util.kvstore.KVStoreIterator;

/**
 * Reads what {@link GenerationListener} has written. Thread-safe. Methods throw {@link
 * IllegalStateException} when Spark's store cannot be read.
 *
 * @param store Spark's status store, of a running application or of a history server; it stays the
 *     caller's
 */
public record GenerationStore(KVStore store) {
  /** Whether there is anything to show: an engine or a run has reported. */
  public boolean isUsed() {
    try {
      return store.count(Moment.class) + store.count(RunRecord.class) > 0;
    } catch (Exception problem) { // The store's interface declares it.
      throw unreadable(problem);
    }
  }

  /** The executors that have a record, in the order in which they joined the application. */
  public List<ExecutorRecord> executors() {
    List<ExecutorRecord> executors = all(ExecutorRecord.class);
    executors.sort(
        Comparator.comparingLong(ExecutorRecord::added).thenComparing(ExecutorRecord::id));
    return executors;
  }

  /** What the executors have done whose records were deleted. */
  public RemovedExecutors forgotten() {
    try {
      return store.read(RemovedExecutors.class, RemovedExecutors.KEY);
    } catch (NoSuchElementException none) {
      return RemovedExecutors.NONE;
    } catch (Exception problem) { // The store's interface declares it.
      throw unreadable(problem);
    }
  }

  /**
   * What all engines of the application have done, and what those of its present executors are
   * doing.
   */
  public EngineStatistics totals() {
    return executors().stream()
        .map(ExecutorRecord::statistics)
        .reduce(forgotten().statistics(), EngineStatistics::plus);
  }

  /**
   * For how long executors have had GPUs, summed over all GPUs. Loading the model counts.
   *
   * @param now the present time, until which executors that have not left are counted
   */
  public Duration gpuTime(Instant now) {
    return Duration.ofMillis(
        executors().stream()
            .mapToLong(executor -> executor.gpuMillis(now.toEpochMilli()))
            .reduce(forgotten().gpuMillis(), Long::sum));
  }

  /** The stored moments, in the order of their times. */
  public List<Moment> moments() {
    return all(Moment.class);
  }

  /** The progress of the runs that know how many rows they have, in the order of its time. */
  public List<RunProgress> runs() {
    return all(RunRecord.class).stream()
        .map(RunRecord::progress)
        .sorted(Comparator.comparingLong(RunProgress::time))
        .toList();
  }

  private <T> List<T> all(Class<T> type) {
    List<T> values = new ArrayList<>();
    try (KVStoreIterator<T> each = store.view(type).closeableIterator()) {
      each.forEachRemaining(values::add);
    } catch (Exception problem) { // The store's interface declares it.
      throw unreadable(problem);
    }
    return values;
  }

  private static IllegalStateException unreadable(Exception problem) {
    return new IllegalStateException("Spark's status store cannot be read: " + problem, problem);
  }
}
