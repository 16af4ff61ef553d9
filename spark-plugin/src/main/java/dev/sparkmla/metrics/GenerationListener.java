package dev.sparkmla.metrics;

import dev.sparkmla.engine.EngineStatistics;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.scheduler.SparkListenerExecutorAdded;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.util.kvstore.KVStore;

/**
 * Writes what {@link GenerationStore} reads into Spark's status store. The events may come from a
 * running application or from an event log, with the same result. The store has a record of each
 * executor of the application, of the last executors that have left (as many as {@code
 * spark.ui.retainedDeadExecutors} says), and at most {@link #MOST_MOMENTS} moments.
 *
 * <p>Not thread-safe: Spark calls it from one thread.
 */
public final class GenerationListener extends SparkListener {
  /** How many moments are kept at most: where there are more, every other one is deleted. */
  static final int MOST_MOMENTS = 512;

  private final KVStore store;
  private final int mostRemoved;
  private final Map<String, ExecutorRecord> present = new HashMap<>();
  private final Deque<String> removed = new ArrayDeque<>();
  private final Deque<Long> moments = new ArrayDeque<>();
  private RemovedExecutors forgotten = RemovedExecutors.NONE;
  private Moment last = Moment.NONE;

  /** The least time between two moments, in milliseconds. */
  private long spacing = 1000;

  /**
   * @param conf the application's configuration
   * @param store where records are written to; it stays the caller's
   */
  public GenerationListener(SparkConf conf, KVStore store) {
    this.store = store;
    this.mostRemoved = Math.max(1, conf.getInt("spark.ui.retainedDeadExecutors", 100));
  }

  @Override
  public void onExecutorAdded(SparkListenerExecutorAdded added) {
    String id = added.executorId();
    String host = added.executorInfo().executorHost();
    ExecutorRecord known = present.get(id);
    keep(
        known == null
            ? ExecutorRecord.joined(id, host, added.time())
            : known.joinedAt(host, added.time()));
  }

  @Override
  public void onExecutorRemoved(SparkListenerExecutorRemoved event) {
    ExecutorRecord executor = present.remove(event.executorId());
    if (executor == null) {
      return;
    }
    EngineStatistics before = executor.statistics();
    ExecutorRecord gone = executor.left(event.time(), event.reason());
    write(gone);
    removed.addLast(gone.id());
    if (removed.size() > mostRemoved) {
      forget(removed.removeFirst());
    }
    if (gone.lastReport().isPresent()) {
      record(last.changed(Math.max(last.time(), event.time()), before, gone.statistics()));
    }
  }

  @Override
  public void onOtherEvent(SparkListenerEvent event) {
    if (event instanceof EngineReport report) {
      take(report);
    } else if (event instanceof RunProgress progress) {
      write(new RunRecord(progress));
    }
  }

  private void take(EngineReport report) {
    if (removed.contains(report.executor())) {
      return;
    }
    // In local mode, the first report comes before Spark says that the executor is there.
    ExecutorRecord executor =
        present.getOrDefault(
            report.executor(), ExecutorRecord.joined(report.executor(), "", report.time()));
    if (executor.lastReport().filter(later -> later.time() > report.time()).isPresent()) {
      return;
    }
    keep(executor.reported(report));
    record(
        last.changed(
            Math.max(last.time(), report.time()), executor.statistics(), report.statistics()));
  }

  private void keep(ExecutorRecord executor) {
    present.put(executor.id(), executor);
    write(executor);
  }

  private void forget(String id) {
    try {
      forgotten = forgotten.and(store.read(ExecutorRecord.class, id));
      store.delete(ExecutorRecord.class, id);
    } catch (Exception problem) { // The store's interface declares it.
      throw unusable(problem);
    }
    write(forgotten);
  }

  /**
   * Writes a moment, and deletes the one before where it is less than the least time after its own
   * predecessor.
   */
  private void record(Moment now) {
    last = now;
    if (moments.size() > 1) {
      long newest = moments.removeLast();
      if (newest - moments.getLast() < spacing) {
        delete(newest);
      } else {
        moments.addLast(newest);
      }
    }
    if (moments.isEmpty() || moments.getLast() < now.time()) {
      moments.addLast(now.time());
    }
    write(now);
    if (moments.size() > MOST_MOMENTS) {
      thin();
    }
  }

  private void thin() {
    spacing *= 2;
    Deque<Long> kept = new ArrayDeque<>();
    boolean keeps = true;
    while (moments.size() > 1) {
      long time = moments.removeFirst();
      if (keeps) {
        kept.addLast(time);
      } else {
        delete(time);
      }
      keeps = !keeps;
    }
    kept.addLast(moments.removeFirst());
    moments.addAll(kept);
  }

  private void delete(long time) {
    try {
      store.delete(Moment.class, time);
    } catch (Exception problem) { // The store's interface declares it.
      throw unusable(problem);
    }
  }

  private void write(Object value) {
    try {
      store.write(value);
    } catch (Exception problem) { // The store's interface declares it.
      throw unusable(problem);
    }
  }

  private static IllegalStateException unusable(Exception problem) {
    return new IllegalStateException("Spark's status store cannot be used: " + problem, problem);
  }
}
