package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.PagedCache;
import dev.sparkmla.kvcache.CacheShape;

/** The paged cache, one buffer for all layers and the tokens' ids behind them. */
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
    return blocks * shape.bytesPerBlock(layers);
  }

  PagedCache layer(int layer) {
    return PagedCache.of(buffer, layerBytes(layer), shape, blocks);
  }

  /** Bytes of so many layers. */
  private long layerBytes(int count) {
    return (long) count * blocks * shape.bytesPerBlock();
  }

  /** The tokens' ids, int32 {@code [blocks, page]}. */
  DeviceTensor tokens() {
    return DeviceTensor.of(buffer, layerBytes(layers), ElementType.INT32, blocks, shape.page());
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
