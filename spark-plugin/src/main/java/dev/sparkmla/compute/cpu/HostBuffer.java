package dev.sparkmla.compute.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Memory outside the heap, aligned to cache lines, seen both by OpenBLAS and by Java. Not counted
 * against the JVM's limit of direct memory.
 */
final class HostBuffer {
  private static final int ALIGNMENT = 64;

  private final Pointer base;
  private final FloatPointer pointer;
  private final ByteBuffer view;
  private final FloatBuffer floats;
  private final ShortBuffer shorts;
  private final long bytes;

  private HostBuffer(Pointer base, FloatPointer pointer, ByteBuffer view, long bytes) {
    this.base = base;
    this.pointer = pointer;
    this.view = view;
    this.floats = view.asFloatBuffer();
    this.shorts = view.asShortBuffer();
    this.bytes = bytes;
  }

  /** Takes memory from the system, whole floats of it; null when there is none. */
  static HostBuffer take(long atLeast) {
    long bytes = (atLeast + Float.BYTES - 1) / Float.BYTES * Float.BYTES;
    Pointer base = Pointer.malloc(bytes + ALIGNMENT);
    if (base == null || base.isNull()) {
      return null;
    }
    long gap = (ALIGNMENT - base.address() % ALIGNMENT) % ALIGNMENT;
    FloatPointer all = new FloatPointer(base);
    FloatPointer pointer = all.getPointer(gap / Float.BYTES);
    pointer.capacity(bytes / Float.BYTES);
    ByteBuffer view = pointer.asByteBuffer().order(ByteOrder.nativeOrder());
    return new HostBuffer(base, pointer, view, bytes);
  }

  /** Gives the memory back to the system; nothing may touch it afterwards. */
  void free() {
    Pointer.free(base);
  }

  long bytes() {
    return bytes;
  }

  /** The address of a float, for OpenBLAS. */
  FloatPointer at(long index) {
    return index == 0 ? pointer : pointer.getPointer(index);
  }

  /** All of it. */
  ByteBuffer view() {
    return view;
  }

  /** All of it as float32. */
  FloatBuffer floats() {
    return floats;
  }

  /** All of it as 16-bit words. */
  ShortBuffer shorts() {
    return shorts;
  }
}
