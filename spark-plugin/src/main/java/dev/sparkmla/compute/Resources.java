package dev.sparkmla.compute;

import java.util.ArrayDeque;
import java.util.Deque;

/** Closes what it was given, last first. One thread at a time. */
public final class Resources implements AutoCloseable {
  private final Deque<AutoCloseable> owned = new ArrayDeque<>();

  /** Takes over a resource and returns it. */
  public <T extends AutoCloseable> T own(T resource) {
    owned.push(resource);
    return resource;
  }

  /** Closes all after a failure, to which it adds what fails meanwhile. */
  public void closeAfter(Throwable failure) {
    try {
      close();
    } catch (RuntimeException unclosed) {
      failure.addSuppressed(unclosed);
    }
  }

  /**
   * Closes all, the rest too where one cannot be closed.
   *
   * @throws IllegalStateException with the first failure as its cause, the others suppressed
   */
  @Override
  public void close() {
    RuntimeException failure = null;
    while (!owned.isEmpty()) {
      try {
        owned.pop().close();
      } catch (Exception e) {
        if (failure == null) {
          failure = new IllegalStateException("closing failed: " + e.getMessage(), e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
