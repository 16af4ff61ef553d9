package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.CacheShape;
import java.util.ArrayList;
import java.util.List;

/** The paged cache, a buffer a layer, and the tokens' ids. */
final class CpuCache implements LatentCache {
  private final HostMemory memory;
  private final CacheShape shape;
  private final int blocks;
  private final List<HostBuffer> layers = new ArrayList<>();
  private final int[] tokens;

  CpuCache(HostMemory memory, CacheShape shape, int layers, int blocks) {
    this.memory = memory;
    this.shape = shape;
    this.blocks = blocks;
    this.tokens = new int[Math.multiplyExact(blocks, shape.page())];
    try {
      for (int i = 0; i < layers; i++) {
        this.layers.add(memory.take((long) blocks * shape.bytesPerBlock(), "the cache"));
      }
    } catch (RuntimeException e) {
      this.layers.forEach(memory::free);
      throw e;
    }
  }

  static CpuCache of(LatentCache cache) {
    return (CpuCache) cache;
  }

  /** A layer, bf16 {@code [blocks][page][latent + rope]}. */
  HostBuffer layer(int layer) {
    return layers.get(layer);
  }

  /** Keeps a token's id. */
  void writeToken(Segment segment, int position, int token) {
    tokens[shape.slot(segment.blocks(), position)] = token;
  }

  /** The ids of a sequence's first tokens. */
  int[] tokens(Segment segment, int count) {
    int[] ids = new int[count];
    for (int position = 0; position < count; position++) {
      ids[position] = tokens[shape.slot(segment.blocks(), position)];
    }
    return ids;
  }

  @Override
  public CacheShape shape() {
    return shape;
  }

  @Override
  public int layers() {
    return layers.size();
  }

  @Override
  public int blocks() {
    return blocks;
  }

  @Override
  public void close() {
    if (layers.isEmpty()) {
      throw new IllegalStateException("the cache is closed already");
    }
    layers.forEach(memory::free);
    layers.clear();
  }
}
