package dev.sparkmla.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.util.ArrayList;
import java.util.List;

/**
 * The end of a file, mapped in windows that a buffer can hold, so that neither its size nor the
 * number of the regions taken from it matters. Windows overlap by the size of the largest element,
 * so that one which begins in a window is whole there.
 *
 * <p>The operating system keeps a mapping until no buffer over it is reachable, so that a buffer
 * can never point to memory that is gone.
 */
final class MappedBytes {
  /** Bytes from one window's begin to the next one's. */
  static final long WINDOW = 1L << 30;

  private static final int LARGEST_ELEMENT = 8;

  private final List<ByteBuffer> windows = new ArrayList<>();

  /** Maps the bytes from {@code begin} to the end of the file. */
  MappedBytes(FileChannel channel, long begin) throws IOException {
    long size = channel.size() - begin;
    for (long at = 0; at < size; at += WINDOW) {
      windows.add(
          channel.map(
              MapMode.READ_ONLY, begin + at, Math.min(WINDOW + LARGEST_ELEMENT, size - at)));
    }
  }

  /**
   * Some bytes in order, in buffers of whole elements.
   *
   * @param begin the first byte, from the first that is mapped
   * @param end the byte after the last
   * @param element bytes of an element; the region is so many times as large
   */
  List<ByteBuffer> region(long begin, long end, int element) {
    List<ByteBuffer> parts = new ArrayList<>(1);
    for (long at = begin; at < end; ) {
      int offset = (int) (at % WINDOW);
      long untilNext = (WINDOW - offset + element - 1) / element * element;
      int size = (int) Math.min(end - at, untilNext);
      parts.add(windows.get((int) (at / WINDOW)).slice(offset, size));
      at += size;
    }
    return parts;
  }
}
