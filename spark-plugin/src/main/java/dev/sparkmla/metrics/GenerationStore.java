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
 * Reads what {@link GenerationListener} has kept. Thread-safe.
 *
 * @param store Spark's, of a running application or of a history server; it stays the caller's
 */
public record GenerationStore(KVStore store) {
  /** Whether there is anything to show: an engine or a run has said something. */
  public boolean isUsed() {
    try {
      return store.count(Moment.class) + store.count(RunRecord.class) > 0;
    } catch (Exception problem) { // The store's interface declares it.
      throw unreadable(problem);
    }
  }

  /** The executors of which records are kept, in the order in which they joined. */
  public List<ExecutorRecord> executors() {
    List<ExecutorRecord> executors = all(ExecutorRecord.class);
    executors.sort(
        Comparator.comparingLong(ExecutorRecord::added).thenComparing(ExecutorRecord::id));
    return executors;
  }

  /** What executors have done of which no record is kept any more. */
  public RemovedExecutors forgotten() {
    try {
      return store.read(RemovedExecutors.class, RemovedExecutors.KEY);
    } catch (NoSuchElementException none) {
      return RemovedExecutors.NONE;
    } catch (Exception problem) { // The store's interface declares it.
      throw unreadable(problem);
    }
  }

  /** What all engines have done, and what those that are there are doing. */
  public EngineStatistics totals() {
    return executors().stream()
        .map(ExecutorRecord::statistics)
        .reduce(forgotten().statistics(), EngineStatistics::plus);
  }

  /**
   * How long executors had GPUs, summed over GPUs. Loading the model counts.
   *
   * @param now until when, for executors that are there
   */
  public Duration gpuTime(Instant now) {
    return Duration.ofMillis(
        executors().stream()
            .mapToLong(executor -> executor.gpuMillis(now.toEpochMilli()))
            .reduce(forgotten().gpuMillis(), Long::sum));
  }

  /** The moments that are kept, in the order of their times. */
  public List<Moment> moments() {
    return all(Moment.class);
  }

  /** How far runs are that know how many rows they have. */
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
