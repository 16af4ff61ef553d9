package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.Segment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Attention in absorbed form over the paged cache, each row for itself. A row's context is split
 * every {@value #SPLIT} tokens; the splits are computed apart and merged in order, so that one long
 * context occupies every thread. Where it is split depends on nothing but the row's position.
 */
final class DecodeAttention {
  private static final int SPLIT = 1024;

  /** Tokens widened at once. */
  private static final int TILE = 128;

  private final Gemm.View queries;
  private final AttentionShape shape;
  private final int latent;
  private final int width;
  private final CpuPlan plan;
  private final CachedTokens cache;
  private final CpuActivation out;
  private final List<Split> splits = new ArrayList<>();
  private final int[] firstSplits;

  /**
   * A part of a row's context.
   *
   * @param row the row
   * @param begin first position
   * @param end last position, exclusive
   * @param softmax its running sums, by head
   */
  private record Split(int row, int begin, int end, Softmax softmax) {}

  DecodeAttention(
      CpuActivation queries,
      AttentionShape shape,
      CpuPlan plan,
      CachedTokens cache,
      CpuActivation out) {
    this.queries = Gemm.View.of(queries);
    this.shape = shape;
    this.latent = shape.cache().latent();
    this.width = shape.cache().width();
    this.plan = plan;
    this.cache = cache;
    this.out = out;
    this.firstSplits = new int[plan.decodeRows() + 1];
    for (int row = 0; row < plan.decodeRows(); row++) {
      int context = plan.row(row).map(token -> token.position() + 1).orElse(0);
      for (int begin = 0; begin < context; begin += SPLIT) {
        int end = Math.min(context, begin + SPLIT);
        splits.add(new Split(row, begin, end, new Softmax(shape.heads())));
      }
      firstSplits[row + 1] = splits.size();
    }
  }

  void run(Workers workers, HostMemory memory) {
    try (CpuActivation partial = new CpuActivation(memory, splits.size(), shape.latentWidth())) {
      workers.run(splits.size(), (index, scratch) -> attend(index, partial, scratch));
      workers.run(plan.decodeRows(), (row, scratch) -> merge(row, partial, scratch));
    }
  }

  private void attend(int index, CpuActivation partial, Scratch scratch) {
    Split split = splits.get(index);
    Segment segment = plan.row(split.row()).orElseThrow().segment();
    int heads = shape.heads();
    HostBuffer keys = scratch.buffer(Scratch.Use.KEYS, (long) TILE * width);
    HostBuffer scoreBuffer = scratch.buffer(Scratch.Use.SCORES, (long) heads * TILE);
    HostBuffer attendedBuffer = scratch.buffer(Scratch.Use.ATTENDED, shape.latentWidth());
    float[] scores = scratch.array(Scratch.Use.SCORES, heads * TILE);
    float[] attended = scratch.array(Scratch.Use.ATTENDED, shape.latentWidth());
    float[] sums = scratch.array(Scratch.Use.RESULT, shape.latentWidth());
    Arrays.fill(sums, 0, shape.latentWidth(), 0f);
    Gemm.View query = new Gemm.View(queries.buffer(), split.row() * queries.stride(), width);
    for (int begin = split.begin(); begin < split.end(); begin += TILE) {
      int count = Math.min(TILE, split.end() - begin);
      cache.widen(segment, begin, count, keys, 0);
      Gemm.transposed(
          heads, count, width, query, keys.at(0), width, new Gemm.View(scoreBuffer, 0, count));
      scoreBuffer.floats().get(0, scores, 0, heads * count);
      float[] factors = scratch.array(Scratch.Use.GATE, heads);
      for (int head = 0; head < heads; head++) {
        factors[head] =
            split
                .softmax()
                .see(head, scores, head * count, count, shape.scale(), scratch.exponential());
      }
      scoreBuffer.floats().put(0, scores, 0, heads * count);
      Gemm.plain(
          heads,
          latent,
          count,
          new Gemm.View(scoreBuffer, 0, count),
          keys.at(0),
          width,
          new Gemm.View(attendedBuffer, 0, latent));
      attendedBuffer.floats().get(0, attended, 0, shape.latentWidth());
      for (int head = 0; head < heads; head++) {
        int at = head * latent;
        Vectors.scaleAndAdd(sums, at, factors[head], attended, at, latent);
      }
    }
    partial.writeRow(index, sums, 0);
  }

  private void merge(int row, CpuActivation partial, Scratch scratch) {
    int all = shape.latentWidth();
    float[] sums = scratch.array(Scratch.Use.RESULT, all);
    float[] part = scratch.array(Scratch.Use.ATTENDED, all);
    Arrays.fill(sums, 0, all, 0f);
    if (plan.row(row).isEmpty()) {
      out.writeRow(row, sums, 0);
      return;
    }
    for (int head = 0; head < shape.heads(); head++) {
      float largest = Float.NEGATIVE_INFINITY;
      for (int i = firstSplits[row]; i < firstSplits[row + 1]; i++) {
        largest = Math.max(largest, splits.get(i).softmax().largest(head));
      }
      float total = 0;
      int at = head * latent;
      for (int i = firstSplits[row]; i < firstSplits[row + 1]; i++) {
        Softmax softmax = splits.get(i).softmax();
        float factor = (float) Math.exp(softmax.largest(head) - largest);
        total += softmax.sum(head) * factor;
        partial.buffer().floats().get(i * all + at, part, 0, latent);
        Vectors.addScaled(sums, at, factor, part, 0, latent);
      }
      Vectors.scale(sums, at, latent, 1 / total);
    }
    out.writeRow(row, sums, 0);
  }
}
