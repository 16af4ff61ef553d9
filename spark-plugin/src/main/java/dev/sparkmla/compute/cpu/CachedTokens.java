package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.CacheShape;

/** Reads a sequence's tokens out of the paged cache. */
final class CachedTokens {
  private CachedTokens() {}

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
