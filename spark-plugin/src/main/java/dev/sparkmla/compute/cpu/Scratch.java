package dev.sparkmla.compute.cpu;

import java.util.EnumMap;
import java.util.Map;

/** One worker's own memory, kept from task to task; contents are undefined at a task's start. */
final class Scratch implements AutoCloseable {
  /** What a buffer is for; a task may use each once at a time. */
  enum Use {
    /** Rows of a GEMM's left matrix, padded. */
    LEFT,
    /** Widened parameters. */
    PANEL,
    /** Rows of a GEMM's result, padded. */
    RESULT,
    /** Gathered rows. */
    ROWS,
    /** A gate's values. */
    GATE,
    /** What a gate multiplies. */
    UP,
    /** Widened keys. */
    KEYS,
    /** Queries. */
    QUERIES,
    /** Attention scores. */
    SCORES,
    /** Attended values. */
    ATTENDED
  }

  private final HostMemory memory;
  private final Map<Use, HostBuffer> buffers = new EnumMap<>(Use.class);
  private final Map<Use, float[]> arrays = new EnumMap<>(Use.class);
  private final Exponential exponential = new Exponential();

  Scratch(HostMemory memory) {
    this.memory = memory;
  }

  /** At least {@code floats} floats outside the heap. */
  HostBuffer buffer(Use use, long floats) {
    HostBuffer buffer = buffers.get(use);
    if (buffer == null || buffer.bytes() < floats * Float.BYTES) {
      if (buffer != null) {
        buffers.remove(use);
        memory.giveBack(buffer);
      }
      buffer = memory.borrow(floats * Float.BYTES);
      buffers.put(use, buffer);
    }
    return buffer;
  }

  /** At least {@code floats} floats in the heap. */
  float[] array(Use use, int floats) {
    float[] array = arrays.get(use);
    if (array == null || array.length < floats) {
      array = new float[Math.max(floats, 1024)];
      arrays.put(use, array);
    }
    return array;
  }

  Exponential exponential() {
    return exponential;
  }

  @Override
  public void close() {
    buffers.values().forEach(memory::giveBack);
    buffers.clear();
  }
}
