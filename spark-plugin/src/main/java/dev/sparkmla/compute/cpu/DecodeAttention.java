package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Segment;
import java.util.ArrayList;
import java.util.List;

/**
 * Attention of single queries, in absorbed form, over the paged cache. A context is cut into runs
 * of {@value #RUN} tokens that are computed apart and merged in order, so that one long context
 * occupies every thread; the cut depends on nothing but the context's length.
 */
final class DecodeAttention {
  private static final int RUN = 1024;

  /** Tokens widened at once: whole blocks. */
  private static final int TILE = 2 * LatentCache.BLOCK_TOKENS;

  private final Products.View queries;
  private final int heads;
  private final float scale;
  private final HostBuffer cache;
  private final CpuActivation out;
  private final List<Run> runs = new ArrayList<>();
  private final int[] firstRuns;
  private final List<Segment> segments;

  /**
   * A part of a row's context.
   *
   * @param row the row
   * @param begin first position
   * @param end last position, exclusive
   * @param softmax its running sums, by head
   */
  private record Run(int row, int begin, int end, Softmax softmax) {}

  DecodeAttention(
      CpuActivation queries,
      int heads,
      float scale,
      CpuPlan plan,
      HostBuffer cache,
      CpuActivation out) {
    this.queries = Products.View.of(queries);
    this.heads = heads;
    this.scale = scale;
    this.cache = cache;
    this.out = out;
    this.segments = plan.decoding();
    this.firstRuns = new int[segments.size() + 1];
    for (int row = 0; row < segments.size(); row++) {
      int context = segments.get(row).position() + 1;
      for (int begin = 0; begin < context; begin += RUN) {
        runs.add(new Run(row, begin, Math.min(context, begin + RUN), new Softmax(heads)));
      }
      firstRuns[row + 1] = runs.size();
    }
  }

  void run(Workers workers, HostMemory memory) {
    int width = heads * LatentCache.LATENT;
    try (CpuActivation partial = new CpuActivation(memory, runs.size(), width, Precision.FLOAT32)) {
      workers.run(runs.size(), (index, scratch) -> attend(index, partial, scratch));
      workers.run(segments.size(), (row, scratch) -> merge(row, partial, scratch));
    }
  }

  private void attend(int index, CpuActivation partial, Scratch scratch) {
    Run run = runs.get(index);
    Segment segment = segments.get(run.row());
    HostBuffer keys = scratch.buffer(Scratch.Use.KEYS, (long) TILE * LatentCache.WIDTH);
    HostBuffer scoreBuffer = scratch.buffer(Scratch.Use.SCORES, (long) heads * TILE);
    HostBuffer attendedBuffer =
        scratch.buffer(Scratch.Use.ATTENDED, (long) heads * LatentCache.LATENT);
    float[] scores = scratch.array(Scratch.Use.SCORES, heads * TILE);
    float[] attended = scratch.array(Scratch.Use.ATTENDED, heads * LatentCache.LATENT);
    float[] sums = scratch.array(Scratch.Use.RESULT, heads * LatentCache.LATENT);
    java.util.Arrays.fill(sums, 0, heads * LatentCache.LATENT, 0f);
    Products.View query =
        new Products.View(queries.buffer(), run.row() * queries.stride(), LatentCache.WIDTH);
    for (int begin = run.begin(); begin < run.end(); begin += TILE) {
      int count = Math.min(TILE, run.end() - begin);
      CachedTokens.widen(cache, segment, begin, count, keys, 0);
      Products.transposed(
          heads,
          count,
          LatentCache.WIDTH,
          query,
          keys.at(0),
          LatentCache.WIDTH,
          new Products.View(scoreBuffer, 0, count));
      scoreBuffer.floats().get(0, scores, 0, heads * count);
      float[] factors = scratch.array(Scratch.Use.GATE, heads);
      for (int head = 0; head < heads; head++) {
        factors[head] =
            run.softmax().see(head, scores, head * count, count, scale, scratch.exponential());
      }
      scoreBuffer.floats().put(0, scores, 0, heads * count);
      Products.plain(
          heads,
          LatentCache.LATENT,
          count,
          new Products.View(scoreBuffer, 0, count),
          keys.at(0),
          LatentCache.WIDTH,
          new Products.View(attendedBuffer, 0, LatentCache.LATENT));
      attendedBuffer.floats().get(0, attended, 0, heads * LatentCache.LATENT);
      for (int head = 0; head < heads; head++) {
        int at = head * LatentCache.LATENT;
        Vectors.scaleAndAdd(sums, at, factors[head], attended, at, LatentCache.LATENT);
      }
    }
    partial.writeRow(index, sums, 0);
  }

  private void merge(int row, CpuActivation partial, Scratch scratch) {
    int width = heads * LatentCache.LATENT;
    float[] sums = scratch.array(Scratch.Use.RESULT, width);
    float[] part = scratch.array(Scratch.Use.ATTENDED, width);
    java.util.Arrays.fill(sums, 0, width, 0f);
    for (int head = 0; head < heads; head++) {
      float largest = Float.NEGATIVE_INFINITY;
      for (int i = firstRuns[row]; i < firstRuns[row + 1]; i++) {
        largest = Math.max(largest, runs.get(i).softmax().largest(head));
      }
      float total = 0;
      int at = head * LatentCache.LATENT;
      for (int i = firstRuns[row]; i < firstRuns[row + 1]; i++) {
        Softmax softmax = runs.get(i).softmax();
        float factor = (float) Math.exp(softmax.largest(head) - largest);
        total += softmax.sum(head) * factor;
        partial.buffer().floats().get(i * width + at, part, 0, LatentCache.LATENT);
        Vectors.addScaled(sums, at, factor, part, 0, LatentCache.LATENT);
      }
      Vectors.scale(sums, at, LatentCache.LATENT, 1 / total);
    }
    out.writeRow(row, sums, 0);
  }
}
