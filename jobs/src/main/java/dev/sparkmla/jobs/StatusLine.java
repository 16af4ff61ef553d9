package dev.sparkmla.jobs;

import java.io.Console;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.spark.util.ThreadUtils;

/**
 * Prints the progress of a job: in a terminal on one line that changes, in a log as a new line
 * every ten seconds. Closing it clears the terminal's line. Thread-safe.
 */
final class StatusLine implements AutoCloseable {
  private static final Duration IN_TERMINAL = Duration.ofMillis(500);
  private static final Duration IN_LOG = Duration.ofSeconds(10);

  private final PrintStream out;
  private final boolean terminal;
  private final ScheduledExecutorService clock =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("spark-mla-progress");
  private Supplier<String> text = () -> "";
  private int widest;
  private boolean closed;

  /**
   * @param out where it prints
   * @param terminal whether {@code out} is a terminal
   */
  StatusLine(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
    long period = (terminal ? IN_TERMINAL : IN_LOG).toMillis();
    ScheduledFuture<?> unused =
        clock.scheduleAtFixedRate(this::print, period, period, TimeUnit.MILLISECONDS);
  }

  /** Whether the process runs in a terminal. */
  @SuppressWarnings("SystemConsoleNull") // newer versions are asked below
  static boolean inTerminal() {
    Console console = System.console();
    if (console == null || Runtime.version().feature() < 22) {
      return console != null;
    }
    try {
      // Since Java 22 there is a console without a terminal too, and this method to ask it.
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** Sets what is printed from now on; an empty text prints nothing. */
  synchronized void show(Supplier<String> now) {
    text = now;
  }

  /** Prints the present progress. */
  synchronized void print() {
    if (closed) {
      return; // The clock was about to print.
    }
    String line = text.get();
    if (terminal) {
      widest = Math.max(widest, line.length());
      out.print("\r" + line + " ".repeat(widest - line.length()));
      out.flush();
    } else if (!line.isEmpty()) {
      out.println(line);
    }
  }

  @Override
  public void close() {
    clock.shutdownNow();
    erase();
  }

  private synchronized void erase() {
    if (terminal) {
      out.print("\r" + " ".repeat(widest) + "\r");
      out.flush();
    }
    closed = true;
  }
}
