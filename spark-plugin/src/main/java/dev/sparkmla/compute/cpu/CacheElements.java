package dev.sparkmla.compute.cpu;

/** How the cache holds latents. */
public enum CacheElements {
  /** As on the GPU. */
  BFLOAT16(Short.BYTES) {
    @Override
    void store(float[] values, int count, HostBuffer cache, int at) {
      for (int i = 0; i < count; i++) {
        cache.shorts().put(at + i, BFloat16.round(values[i]));
      }
    }

    @Override
    void widen(HostBuffer cache, int at, HostBuffer to, int target, int count) {
      BFloat16.widen(cache.view(), at, to.view(), target, count);
    }
  },
  /** Unrounded, in twice the memory, to compare a model with a reference that rounds nothing. */
  FLOAT32(Float.BYTES) {
    @Override
    void store(float[] values, int count, HostBuffer cache, int at) {
      for (int i = 0; i < count; i++) {
        cache.floats().put(at + i, values[i]);
      }
    }

    @Override
    void widen(HostBuffer cache, int at, HostBuffer to, int target, int count) {
      for (int i = 0; i < count; i++) {
        to.floats().put(target + i, cache.floats().get(at + i));
      }
    }
  };

  private final int bytes;

  CacheElements(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of an element. */
  int bytes() {
    return bytes;
  }

  /** Writes the first values from an element of the cache on. */
  abstract void store(float[] values, int count, HostBuffer cache, int at);

  /** Reads elements from one of the cache on as float32. */
  abstract void widen(HostBuffer cache, int at, HostBuffer to, int target, int count);
}
