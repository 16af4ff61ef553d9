package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.ComputeException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * The backend's memory outside the heap. Short-lived buffers come in sizes of powers of two and are
 * kept for the next one of their size, since every step asks for the same. Thread-safe.
 */
final class HostMemory implements AutoCloseable {
  private static final long SMALLEST = 4096;

  private final Map<Long, Deque<HostBuffer>> idle = new HashMap<>();
  private int live;

  /**
   * A buffer of just this size, for what lives as long as the model.
   *
   * @param what what it is for, in messages
   */
  synchronized HostBuffer take(long bytes, String what) {
    return counted(bytes, what);
  }

  /** A buffer of at least this size, for what lives for a step. */
  synchronized HostBuffer borrow(long bytes) {
    long size = Math.max(SMALLEST, Long.highestOneBit(Math.max(bytes - 1, 1)) << 1);
    if (size > Integer.MAX_VALUE) {
      size = bytes;
    }
    Deque<HostBuffer> same = idle.get(size);
    if (same != null && !same.isEmpty()) {
      live++;
      return same.pop();
    }
    return counted(size, "a step's activations");
  }

  private HostBuffer counted(long bytes, String what) {
    if (bytes > Integer.MAX_VALUE) {
      throw new ComputeException(
          what
              + " would need a buffer of "
              + bytes
              + " bytes, and the CPU backend's hold "
              + Integer.MAX_VALUE
              + " at most; use a smaller cache, smaller steps or another backend");
    }
    HostBuffer buffer = HostBuffer.take(bytes);
    if (buffer == null) {
      throw new ComputeException(
          "the system has no "
              + bytes
              + " bytes for "
              + what
              + " on the CPU backend; use a smaller cache or a host with more memory");
    }
    live++;
    return buffer;
  }

  /** Ends what {@link #take} began. */
  synchronized void free(HostBuffer buffer) {
    live--;
    buffer.free();
  }

  /** Ends what {@link #borrow} began. */
  synchronized void giveBack(HostBuffer buffer) {
    live--;
    idle.computeIfAbsent(buffer.bytes(), any -> new ArrayDeque<>()).push(buffer);
  }

  /** Number of buffers taken or borrowed and not ended. */
  synchronized int live() {
    return live;
  }

  /** Frees the idle buffers. */
  @Override
  public synchronized void close() {
    idle.values().forEach(same -> same.forEach(HostBuffer::free));
    idle.clear();
  }
}
