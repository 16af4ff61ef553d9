package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.DeviceBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Device memory for what lives no longer than a step. It is a stack: blocks are given back in the
 * opposite order in which they were taken, which try-with-resources does by itself, and anything
 * else is refused. A block may be taken again as soon as it was given back, because the order of
 * the stream keeps its users apart.
 *
 * <p>The memory comes in chunks, which are kept. A block lies behind the one below it, or at the
 * start of the first chunk after that one's which is large enough. So the same requests get the
 * same addresses, also after chunks were added, and what a graph recorded stays valid.
 *
 * <p>With several chunks, the rest of a chunk may be too small for the next block and stays unused.
 * In a single chunk every block begins where the sizes of those below it add up to, so that the
 * arena needs exactly the largest sum of sizes that are taken at the same time, and no more. {@link
 * #settle} therefore puts a single chunk of that size in the place of all. From then on, no
 * requests whose sum stays within it make the arena grow, in whatever order they come.
 */
final class Arena implements AutoCloseable {
  private static final long SMALLEST_CHUNK = 64L << 20;
  private static final long ALIGNMENT = 256;

  private final LongFunction<DeviceBuffer> memory;
  private final List<DeviceBuffer> chunks = new ArrayList<>();
  private final Deque<Block> taken = new ArrayDeque<>();
  private long live;
  private long peak;

  /** A part of a chunk. */
  final class Block implements AutoCloseable {
    private final int chunk;
    private final long offset;
    private final long bytes;
    private boolean closed;

    private Block(int chunk, long offset, long bytes) {
      this.chunk = chunk;
      this.offset = offset;
      this.bytes = bytes;
    }

    /** The chunk that it is a part of. */
    DeviceBuffer buffer() {
      if (closed) {
        throw new IllegalStateException("the block is closed");
      }
      return chunks.get(chunk);
    }

    /** Where it begins in {@link #buffer}. */
    long offset() {
      return offset;
    }

    /**
     * Gives the memory back.
     *
     * @throws IllegalStateException where it is not the block that was taken last
     */
    @Override
    public void close() {
      if (taken.peek() != this) {
        throw new IllegalStateException(
            "a block of "
                + bytes
                + " bytes is not the last that was taken: close blocks once, the last one first");
      }
      taken.pop();
      closed = true;
      live -= bytes;
    }
  }

  /**
   * An arena without memory; it takes some when a block is first asked for.
   *
   * @param memory allocates so many bytes
   */
  Arena(LongFunction<DeviceBuffer> memory) {
    this.memory = memory;
  }

  /**
   * Takes memory; what it holds is undefined. Where this throws, nothing was taken.
   *
   * @param bytes how much, ≥ 1
   */
  Block take(long bytes) {
    long size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Block below = taken.peek();
    int chunk = below == null ? 0 : below.chunk;
    long offset = below == null ? 0 : below.offset + below.bytes;
    while (chunk < chunks.size() && chunks.get(chunk).bytes() - offset < size) {
      chunk++;
      offset = 0;
    }
    if (chunk == chunks.size()) {
      chunks.add(memory.apply(Math.max(size, SMALLEST_CHUNK)));
    }
    Block block = new Block(chunk, offset, size);
    taken.push(block);
    live += size;
    peak = Math.max(peak, live);
    return block;
  }

  /**
   * Puts a single chunk in the place of all, in which the largest sum of blocks so far has room.
   * Nothing may be taken, the work that used the chunks must be done, and no graph may have
   * recorded an address.
   */
  void settle() {
    if (!taken.isEmpty()) {
      throw new IllegalStateException(taken.size() + " blocks are taken");
    }
    close();
    if (peak > 0) {
      chunks.add(memory.apply(peak));
    }
  }

  /** Number of blocks that are taken. */
  int live() {
    return taken.size();
  }

  /** Device memory of all chunks. */
  long bytes() {
    return chunks.stream().mapToLong(DeviceBuffer::bytes).sum();
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    chunks.forEach(DeviceBuffer::close);
    chunks.clear();
  }
}
