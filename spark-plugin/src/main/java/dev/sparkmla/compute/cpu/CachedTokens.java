package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.CacheShape;

/**
 * A layer of the paged cache: writes a sequence's tokens into it, and reads them.
 *
 * @param buffer {@code [blocks][page][latent + rope]}
 * @param elements how it holds them
 */
record CachedTokens(HostBuffer buffer, CacheShape shape, CacheElements elements) {
  /**
   * Keeps the token at a position.
   *
   * @param values float32 {@code [latent + rope]}
   */
  void store(Segment segment, int position, float[] values) {
    int width = shape.width();
    elements.store(values, width, buffer, shape.slot(segment.blocks(), position) * width);
  }

  /**
   * Widens {@code count} tokens from a position on to float32 {@code [count, latent + rope]} at
   * {@code at}.
   */
  void widen(Segment segment, int position, int count, HostBuffer to, int at) {
    int width = shape.width();
    int done = 0;
    while (done < count) {
      int inBlock = shape.page() - (position + done) % shape.page();
      int tokens = Math.min(count - done, inBlock);
      elements.widen(
          buffer,
          shape.slot(segment.blocks(), position + done) * width,
          to,
          at + done * width,
          tokens * width);
      done += tokens;
    }
  }
}
