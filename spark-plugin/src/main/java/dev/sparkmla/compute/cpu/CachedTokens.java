package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Segment;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** Reads a sequence's tokens out of the paged cache. */
final class CachedTokens {
  private CachedTokens() {}

  /** Widens {@code count} tokens from a position on to {@code [count, 576]} at {@code at}. */
  static void widen(
      ShortBuffer cache, Segment segment, int position, int count, FloatBuffer to, int at) {
    int done = 0;
    while (done < count) {
      int tokens =
          Math.min(
              count - done,
              LatentCache.BLOCK_TOKENS - (position + done) % LatentCache.BLOCK_TOKENS);
      BFloat16.widen(
          cache,
          CpuPlan.slot(segment, position + done) * LatentCache.WIDTH,
          to,
          at + done * LatentCache.WIDTH,
          tokens * LatentCache.WIDTH);
      done += tokens;
    }
  }
}
