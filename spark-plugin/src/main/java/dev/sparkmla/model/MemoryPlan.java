package dev.sparkmla.model;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.kvcache.CacheShape;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who gets a device's memory: first the weights, then the workspace that steps need, and a part of
 * what is left the cache.
 */
final class MemoryPlan {
  private static final Logger LOGGER = LoggerFactory.getLogger(MemoryPlan.class);

  private final ModelConfig config;
  private final ComputeBackend backend;
  private final long before;
  private long afterWeights;

  /**
   * Looks at the memory before anything is loaded.
   *
   * @param weights bytes that the weights need
   * @throws ComputeException when the weights alone will not fit
   */
  MemoryPlan(ModelConfig config, long weights, ComputeBackend backend) {
    this.config = config;
    this.backend = backend;
    this.before = free();
    if (weights > before) {
      throw new ComputeException(
          "the device has "
              + gigabytes(before)
              + " free and the weights alone need "
              + gigabytes(weights)
              + "; use a device with more memory, or one that nobody else uses");
    }
  }

  /** A backend over the host's memory has no limit that is known. */
  private long free() {
    return backend.freeMemory().orElse(Long.MAX_VALUE);
  }

  /** Looks at the memory that the weights left. */
  void loaded() {
    afterWeights = free();
  }

  /**
   * Blocks of the cache, once the backend has its workspace.
   *
   * @throws ComputeException when not even the tokens of one step fit
   */
  int blocks(CacheSize.MemoryFraction share) {
    long left = free();
    CacheShape shape = config.cacheShape();
    long block = config.cacheBlockBytes();
    long blocks = (long) (left * share.fraction()) / block;
    long least = shape.blocksFor(share.stepTokens());
    String taken =
        "of "
            + gigabytes(before)
            + " free the weights took "
            + gigabytes(before - afterWeights)
            + " and the workspace of "
            + share.stepTokens()
            + " tokens "
            + gigabytes(afterWeights - left);
    if (blocks < least) {
      throw new ComputeException(
          taken
              + "; the cache needs at least "
              + gigabytes(least * block)
              + " and gets "
              + gigabytes(blocks * block)
              + ", "
              + share.fraction()
              + " of the rest: use a device with more memory, fewer tokens in a step, or a larger"
              + " fraction");
    }
    blocks = Math.min(blocks, Integer.MAX_VALUE);
    LOGGER.info(
        "Memory: {}; the cache gets {}, {} tokens",
        taken,
        gigabytes(blocks * block),
        blocks * shape.page());
    return (int) blocks;
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
