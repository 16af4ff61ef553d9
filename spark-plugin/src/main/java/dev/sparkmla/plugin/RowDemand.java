package dev.sparkmla.plugin;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Decides how many rows the tasks of an executor should have in its engines at a time: {@value
 * #ROWS_PER_SEQUENCE} for each sequence that the engines compute at once. So a tokenized row is
 * always there to take the place of one that ends, and few rows wait.
 *
 * <p><b>Fairness.</b> Each task has an equal share of these rows. It may have more than its share
 * while all tasks together have less than {@value #LEAST_PERCENT} percent of these rows in the
 * engines. A task without further input leaves its share to the others.
 *
 * <p>It counts rows and does not hold any. Thread-safe.
 */
public final class RowDemand {
  private static final int ROWS_PER_SEQUENCE = 2;
  private static final int LEAST_PERCENT = 75;

  /**
   * A task is asked for rows only when at least one in so many of its share is missing, because
   * each batch has a cost.
   */
  private static final int REFILLS = 16;

  private final int rows;
  private final Set<Share> sharing = new HashSet<>();
  private int unfinished;

  /**
   * @param maxSequences how many sequences the executor's engines compute at once at most
   */
  public RowDemand(int maxSequences) {
    this.rows = rowsFor(maxSequences);
  }

  /** How many rows engines should have that compute {@code maxSequences} at once. */
  static int rowsFor(int maxSequences) {
    return ROWS_PER_SEQUENCE * maxSequences;
  }

  /**
   * Adds a task, among which the rows are shared from now on.
   *
   * @param grown is called, on any thread, when the task's share has grown
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

  /** What one task has submitted and may submit. Thread-safe. */
  public final class Share implements AutoCloseable {
    private final Runnable grown;

    /** Rows of this task that have not ended. Guarded by the demand. */
    private int own;

    private boolean closed;

    private Share(Runnable grown) {
      this.grown = grown;
    }

    /**
     * How many rows the task should submit now, 0 for none. It is never 0 for a task that has no
     * row in the engines.
     */
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

    /** Counts rows of the task that have ended. */
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

    /** Notes that the task has no further input. The rows that it has submitted still count. */
    public void finish() {
      leave(this);
    }

    /**
     * Removes the task. Its rows that have not ended are cancelled by the caller and no longer
     * count.
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
