package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.CacheShape;

/** Writes a sequence's tokens into a layer of the paged cache, and reads them. */
final class CachedTokens {
  private CachedTokens() {}

  /**
   * Rounds the token at a position.
   *
   * @param values float32 {@code [latent + rope]}
   */
  static void store(
      HostBuffer cache, CacheShape shape, Segment segment, int position, float[] values) {
    int width = shape.width();
    int at = shape.slot(segment.blocks(), position) * width;
    for (int i = 0; i < width; i++) {
      cache.shorts().put(at + i, BFloat16.round(values[i]));
    }
  }

  /**
   * Widens {@code count} tokens from a position on to float32 {@code [count, latent + rope]} at
   * {@code at}.
   */
  static void widen(
      HostBuffer cache,
      CacheShape shape,
      Segment segment,
      int position,
      int count,
      HostBuffer to,
      int at) {
    int width = shape.width();
    int done = 0;
    while (done < count) {
      int inBlock = shape.page() - (position + done) % shape.page();
      int tokens = Math.min(count - done, inBlock);
      BFloat16.widen(
          cache.view(),
          shape.slot(segment.blocks(), position + done) * width,
          to.view(),
          at + done * width,
          tokens * width);
      done += tokens;
    }
  }
}
