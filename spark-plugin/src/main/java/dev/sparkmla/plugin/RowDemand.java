package dev.sparkmla.plugin;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * How many rows the tasks of an executor should have in its engines: {@value #ROWS_PER_SEQUENCE}
 * for each sequence that runs at once, so that another row waits, tokenized, wherever one ends, and
 * no more.
 *
 * <p><b>Fairness.</b> Each task has an equal part of these rows, and may take more while the others
 * leave the engines less than {@value #LEAST_PERCENT} percent of them. A task that has no further
 * rows leaves its part to the others.
 *
 * <p>It counts and holds nothing. Thread-safe.
 */
public final class RowDemand {
  private static final int ROWS_PER_SEQUENCE = 2;
  private static final int LEAST_PERCENT = 75;

  /** Rows are asked for when one in so many of a task's part is missing, as batches have a cost. */
  private static final int REFILLS = 16;

  private final int rows;
  private final Set<Share> sharing = new HashSet<>();
  private int unfinished;

  /**
   * @param maxSequences rows that the engines compute at once at most
   */
  public RowDemand(int maxSequences) {
    this.rows = rowsFor(maxSequences);
  }

  /** Rows that an engine which computes so many at once should have. */
  static int rowsFor(int maxSequences) {
    return ROWS_PER_SEQUENCE * maxSequences;
  }

  /**
   * Lets a task take part.
   *
   * @param grown is called, from any thread, when the task's share has grown
   */
  public Share join(Runnable grown) {
    Share share = new Share(grown);
    synchronized (this) {
      sharing.add(share);
    }
    return share;
  }

  private void leave(Share share) {
    List<Share> others = List.of();
    synchronized (this) {
      if (sharing.remove(share)) {
        others = new ArrayList<>(sharing);
      }
    }
    others.forEach(other -> other.grown.run());
  }

  /** What one task has submitted and may submit. */
  public final class Share implements AutoCloseable {
    private final Runnable grown;

    /** Of this task. Guarded by the demand. */
    private int own;

    private boolean closed;

    private Share(Runnable grown) {
      this.grown = grown;
    }

    /** Rows that the task should submit now; 0 for none. A task that has none should always. */
    public int wanted() {
      synchronized (RowDemand.this) {
        int part = Math.max(1, rows / Math.max(1, sharing.size()));
        int wanted = Math.max(part - own, rows * LEAST_PERCENT / 100 - unfinished);
        return wanted < Math.max(1, part / REFILLS) ? 0 : wanted;
      }
    }

    /** Counts rows that the task is about to submit. */
    public void submitted(int count) {
      count(count);
    }

    /** Counts rows that ended. */
    public void ended(int count) {
      count(-count);
    }

    private void count(int change) {
      synchronized (RowDemand.this) {
        if (!closed) { // Rows that were cancelled may end after all.
          own += change;
          unfinished += change;
        }
      }
    }

    /** Notes that the task has no further rows. Those that it has submitted still count. */
    public void finish() {
      leave(this);
    }

    /**
     * Ends the task's part; what it has submitted and did not end is cancelled, and counts no more.
     */
    @Override
    public void close() {
      synchronized (RowDemand.this) {
        if (!closed) {
          unfinished -= own;
          closed = true;
        }
      }
      leave(this);
    }
  }
}
