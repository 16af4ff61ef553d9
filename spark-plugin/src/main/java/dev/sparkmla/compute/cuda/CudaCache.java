package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.PagedCache;
import dev.sparkmla.kvcache.CacheShape;

/** The paged cache, one buffer for all layers. */
final class CudaCache implements LatentCache {
  private final DeviceBuffer buffer;
  private final CacheShape shape;
  private final int layers;
  private final int blocks;

  CudaCache(DeviceBuffer buffer, CacheShape shape, int layers, int blocks) {
    this.buffer = buffer;
    this.shape = shape;
    this.layers = layers;
    this.blocks = blocks;
  }

  static CudaCache of(LatentCache cache) {
    return (CudaCache) cache;
  }

  static long bytes(CacheShape shape, int layers, int blocks) {
    return (long) layers * blocks * shape.bytesPerBlock();
  }

  PagedCache layer(int layer) {
    return PagedCache.of(buffer, layer * bytes(shape, 1, blocks), shape, blocks);
  }

  @Override
  public CacheShape shape() {
    return shape;
  }

  @Override
  public int layers() {
    return layers;
  }

  @Override
  public int blocks() {
    return blocks;
  }

  @Override
  public void close() {
    buffer.close();
  }
}
