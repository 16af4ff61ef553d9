package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import java.util.ArrayList;
import java.util.List;

/** The paged cache, a buffer a layer. */
final class CpuCache implements LatentCache {
  private final HostMemory memory;
  private final int blocks;
  private final List<HostBuffer> layers = new ArrayList<>();

  CpuCache(HostMemory memory, int layers, int blocks) {
    this.memory = memory;
    this.blocks = blocks;
    try {
      for (int i = 0; i < layers; i++) {
        this.layers.add(memory.take((long) blocks * BLOCK_TOKENS * WIDTH * Short.BYTES));
      }
    } catch (RuntimeException e) {
      this.layers.forEach(memory::free);
      throw e;
    }
  }

  static CpuCache of(LatentCache cache) {
    return (CpuCache) cache;
  }

  /** A layer, bf16 {@code [blocks][64][576]}. */
  HostBuffer layer(int layer) {
    return layers.get(layer);
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
