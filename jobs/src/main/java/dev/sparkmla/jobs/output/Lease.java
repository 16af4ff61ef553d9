package dev.sparkmla.jobs.output;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.ThreadUtils;

/**
 * The right to add a checkpoint's rows to its table, which one run has at a time. It is a file that
 * its holder writes anew every few seconds, each time by a byte longer. A run that finds the file
 * of another one observes it for a while: where it stays as it is, its holder is dead. There is no
 * lock that all file systems know and that a dead process gives back; all that is asked of them
 * here is that they list a file that was written. Two runs that begin at once may both be refused.
 * Thread-safe.
 */
final class Lease implements AutoCloseable {
  private static final Duration RENEWAL = Duration.ofSeconds(5);
  private static final Duration OBSERVATION = Duration.ofSeconds(30);
  private static final String NAME = "lease-";

  private final SliceFolder checkpoint;
  private final FileSystem system;
  private final Path own;
  private final ScheduledExecutorService clock =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("spark-mla-lease");
  private int renewals;
  private boolean closed;

  private Lease(SliceFolder checkpoint) {
    this.checkpoint = checkpoint;
    system = checkpoint.system();
    own = checkpoint.record(NAME + UUID.randomUUID());
  }

  /** Lets time pass in which a living holder renews its lease. */
  interface Observation {
    /** Takes as long as several renewals. */
    void await() throws IOException;
  }

  /** The time that a run waits that finds the lease of another one. */
  static void observe() throws IOException {
    try {
      TimeUnit.SECONDS.sleep(OBSERVATION.toSeconds());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted").initCause(interrupted);
    }
  }

  /**
   * Takes the lease.
   *
   * @throws OutputException when another run has it
   */
  static Lease take(SliceFolder checkpoint, Observation observation) throws IOException {
    Lease lease = new Lease(checkpoint);
    try {
      lease.write();
      lease.requireAlone(observation);
      return lease;
    } catch (IOException | RuntimeException refused) {
      lease.close();
      throw refused;
    }
  }

  private void requireAlone(Observation observation) throws IOException {
    long period = RENEWAL.toMillis();
    ScheduledFuture<?> unused =
        clock.scheduleAtFixedRate(this::renew, period, period, TimeUnit.MILLISECONDS);
    for (Map<Path, Long> seen = others(); !seen.isEmpty(); seen = others()) {
      observation.await();
      Map<Path, Long> now = others();
      if (!seen.entrySet().containsAll(now.entrySet())) {
        throw new OutputException(
            "another run is adding the rows of the checkpoint "
                + checkpoint.path()
                + " to its table; let it end, and start this one again with --resume");
      }
      for (Path ofDead : now.keySet()) {
        system.delete(ofDead, false);
      }
    }
  }

  /** The leases of other runs, and how long their files are. */
  private Map<Path, Long> others() throws IOException {
    Map<Path, Long> others = new HashMap<>();
    for (FileStatus file : system.listStatus(own.getParent())) {
      Path path = file.getPath();
      if (path.getName().startsWith(NAME) && !path.getName().equals(own.getName())) {
        others.put(path, file.getLen());
      }
    }
    return others;
  }

  /** Says that the holder lives. */
  synchronized void renew() {
    try {
      if (!closed && system.exists(own)) {
        write();
      }
    } catch (IOException | RuntimeException problem) {
      // The next renewal may succeed; if none does, the file says what it should.
    }
  }

  private void write() throws IOException {
    try (OutputStream written = system.create(own, true)) {
      written.write(new byte[++renewals]);
    }
  }

  /** Gives the lease back. */
  @Override
  public synchronized void close() {
    closed = true;
    clock.shutdownNow();
    try {
      system.delete(own, false);
    } catch (IOException left) {
      // Nobody renews it any more.
    }
  }
}
