package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Segment;

/** Reads a sequence's tokens out of the paged cache. */
final class CachedTokens {
  private CachedTokens() {}

  /** Widens {@code count} tokens from a position on to {@code [count, 576]} at {@code at}. */
  static void widen(
      HostBuffer cache, Segment segment, int position, int count, HostBuffer to, int at) {
    int done = 0;
    while (done < count) {
      int tokens =
          Math.min(
              count - done,
              LatentCache.BLOCK_TOKENS - (position + done) % LatentCache.BLOCK_TOKENS);
      BFloat16.widen(
          cache.view(),
          CpuPlan.slot(segment, position + done) * LatentCache.WIDTH,
          to.view(),
          at + done * LatentCache.WIDTH,
          tokens * LatentCache.WIDTH);
      done += tokens;
    }
  }
}
