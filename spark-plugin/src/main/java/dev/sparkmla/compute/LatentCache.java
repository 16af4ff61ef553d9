package dev.sparkmla.compute;

import dev.sparkmla.kvcache.CacheShape;

/**
 * The paged cache of all layers, {@code [layers][blocks][page]} tokens of the cache's shape, and
 * the ids of these tokens, int32 {@code [blocks][page]}. Its owner is who allocated it.
 */
public interface LatentCache extends AutoCloseable {
  /** What is held of a token, and how many tokens a block has. */
  CacheShape shape();

  /** Number of layers. */
  int layers();

  /** Number of blocks of every layer. */
  int blocks();

  /** Frees the memory. */
  @Override
  void close();
}
