package dev.sparkmla.compute.cuda;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.DeviceBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Device memory for what lives no longer than a step. Blocks are taken first fit from chunks that
 * are never given back, so the same sequence of requests gets the same addresses, and memory that a
 * graph recorded stays. A block may be taken again as soon as it was given back: the stream's order
 * keeps its users apart.
 */
final class Arena implements AutoCloseable {
  private static final long CHUNK = 64L << 20;
  private static final long ALIGNMENT = 256;

  private final CudaContext context;
  private final List<Chunk> chunks = new ArrayList<>();
  private int live;

  private static final class Chunk {
    final DeviceBuffer buffer;

    /** Size by offset of what is free; neighbours are always joined. */
    final TreeMap<Long, Long> free = new TreeMap<>();

    Chunk(DeviceBuffer buffer) {
      this.buffer = buffer;
      free.put(0L, buffer.bytes());
    }
  }

  /** A part of a chunk. */
  final class Block implements AutoCloseable {
    private final Chunk chunk;
    private final long offset;
    private final long bytes;
    private boolean closed;

    private Block(Chunk chunk, long offset, long bytes) {
      this.chunk = chunk;
      this.offset = offset;
      this.bytes = bytes;
      live++;
    }

    DeviceBuffer buffer() {
      if (closed) {
        throw new IllegalStateException("the block is closed");
      }
      return chunk.buffer;
    }

    /** Where it begins in {@link #buffer}. */
    long offset() {
      return offset;
    }

    @Override
    public void close() {
      if (closed) {
        throw new IllegalStateException("the block is closed already");
      }
      closed = true;
      live--;
      long begin = offset;
      long size = bytes;
      Map.Entry<Long, Long> before = chunk.free.floorEntry(begin);
      if (before != null && before.getKey() + before.getValue() == begin) {
        begin = before.getKey();
        size += before.getValue();
      }
      Long after = chunk.free.remove(offset + bytes);
      chunk.free.put(begin, size + (after == null ? 0 : after));
    }
  }

  Arena(CudaContext context) {
    this.context = context;
  }

  /**
   * Takes memory; what it holds is undefined.
   *
   * @param bytes how much, ≥ 1
   */
  Block take(long bytes) {
    long size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    for (Chunk chunk : chunks) {
      for (Map.Entry<Long, Long> hole : chunk.free.entrySet()) {
        if (hole.getValue() >= size) {
          return take(chunk, hole.getKey(), hole.getValue(), size);
        }
      }
    }
    Chunk chunk = new Chunk(context.allocate(Math.max(size, CHUNK)));
    chunks.add(chunk);
    return take(chunk, 0, chunk.buffer.bytes(), size);
  }

  private Block take(Chunk chunk, long offset, long hole, long size) {
    chunk.free.remove(offset);
    if (hole > size) {
      chunk.free.put(offset + size, hole - size);
    }
    return new Block(chunk, offset, size);
  }

  /** Number of blocks that are taken. */
  int live() {
    return live;
  }

  /** Work that uses it must be done. */
  @Override
  public void close() {
    chunks.forEach(chunk -> chunk.buffer.close());
    chunks.clear();
  }
}
