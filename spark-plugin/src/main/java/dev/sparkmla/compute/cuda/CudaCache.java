package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;

/** The paged cache, one buffer for all layers. */
final class CudaCache implements LatentCache {
  private final DeviceBuffer buffer;
  private final int layers;
  private final int blocks;

  CudaCache(DeviceBuffer buffer, int layers, int blocks) {
    this.buffer = buffer;
    this.layers = layers;
    this.blocks = blocks;
  }

  static CudaCache of(LatentCache cache) {
    return (CudaCache) cache;
  }

  static long bytes(int layers, int blocks) {
    return (long) layers * blocks * BLOCK_TOKENS * WIDTH * ElementType.BFLOAT16.bytes();
  }

  /** {@code [blocks, 64, 1, 576]}. */
  DeviceTensor layer(int layer) {
    return DeviceTensor.of(
        buffer, layer * bytes(1, blocks), ElementType.BFLOAT16, blocks, BLOCK_TOKENS, 1, WIDTH);
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
