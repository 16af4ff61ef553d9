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
  private final CacheElements elements;
  private final List<HostBuffer> layers = new ArrayList<>();
  private final int[] tokens;

  CpuCache(HostMemory memory, CacheShape shape, CacheElements elements, int layers, int blocks) {
    this.memory = memory;
    this.shape = shape;
    this.elements = elements;
    this.blocks = blocks;
    this.tokens = new int[Math.multiplyExact(blocks, shape.page())];
    long elementsOfLayer = (long) blocks * shape.page() * shape.width();
    try {
      for (int i = 0; i < layers; i++) {
        this.layers.add(memory.take(elementsOfLayer * elements.bytes(), "the cache"));
      }
    } catch (RuntimeException e) {
      this.layers.forEach(memory::free);
      throw e;
    }
  }

  static CpuCache of(LatentCache cache) {
    return (CpuCache) cache;
  }

  /** A layer. */
  CachedTokens layer(int layer) {
    return new CachedTokens(layers.get(layer), shape, elements);
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
