package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.Segment;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Causal attention of one segment in expanded form. Cached tokens are taken a run at a time,
 * expanded to every head's keys and values, and attended to in tiles; a query's softmax and sums go
 * on from tile to tile and from run to run.
 *
 * <p>Tiles begin at multiples of {@value #TILE} of the sequence and are computed whole, with zeros
 * past the last token, and queries come in rows that do not depend on each other: so the result
 * does not depend on where a prompt was cut.
 */
final class PrefillAttention {
  /** Keys of a tile, and queries of a task. */
  private static final int TILE = 192;

  /** Tokens expanded at once. */
  private static final int RUN = 10 * TILE;

  private final Gemm.View queries;
  private final CpuWeight keyValue;
  private final AttentionShape shape;
  private final int heads;
  private final int nope;
  private final int key;
  private final int value;
  private final int width;
  private final Segment segment;
  private final int firstRow;
  private final int before;
  private final int count;
  private final CachedTokens cache;
  private final CpuActivation out;
  private final int tasks;
  private final Softmax[] softmax;

  /**
   * Attends from the segment's rows.
   *
   * @param firstRow the first of them
   * @param before how many rows before it are computed with them, for nothing but that each of its
   *     rows has its place in a register tile
   */
  PrefillAttention(
      CpuActivation queries,
      LatentAttention attention,
      Segment segment,
      int firstRow,
      int before,
      CpuCache cache,
      CpuActivation out) {
    this.queries = Gemm.View.of(queries);
    this.keyValue = CpuWeight.of(attention.keyValue());
    this.shape = attention.shape();
    this.heads = shape.heads();
    this.nope = shape.nope();
    this.key = shape.queryHead();
    this.value = shape.value();
    this.width = shape.cache().width();
    this.segment = segment;
    this.firstRow = firstRow;
    this.before = before;
    this.count = before + segment.count();
    this.cache = cache.layer(attention.layer());
    this.out = out;
    this.tasks = (count + TILE - 1) / TILE;
    this.softmax = new Softmax[heads * tasks];
    Arrays.setAll(softmax, any -> new Softmax(TILE));
  }

  void run(Workers workers, HostMemory memory) {
    int context = segment.end();
    int length = Math.min(RUN, (context + TILE - 1) / TILE * TILE);
    HostBuffer latents = memory.borrow((long) length * width * Float.BYTES);
    HostBuffer keys = memory.borrow((long) heads * length * key * Float.BYTES);
    HostBuffer values = memory.borrow((long) heads * length * value * Float.BYTES);
    try {
      for (int begin = 0; begin < context; begin += RUN) {
        int first = begin;
        int tiles = (Math.min(RUN, context - begin) + TILE - 1) / TILE;
        workers.run(tiles, (tile, scratch) -> widen(first, tile, context, latents));
        workers.run(
            heads * tiles,
            (index, scratch) ->
                expand(index / tiles, index % tiles, length, latents, keys, values, scratch));
        // The last queries see the most keys: they go first, so that the threads end together.
        workers.run(
            heads * tasks,
            (index, scratch) ->
                attend(
                    index % heads,
                    tasks - 1 - index / heads,
                    first,
                    length,
                    tiles,
                    keys,
                    values,
                    scratch));
      }
    } finally {
      memory.giveBack(latents);
      memory.giveBack(keys);
      memory.giveBack(values);
    }
  }

  private void widen(int first, int tile, int context, HostBuffer latents) {
    int tokens = Math.min(TILE, context - first - tile * TILE);
    int at = tile * TILE * width;
    cache.widen(segment, first + tile * TILE, tokens, latents, at);
    Gemm.zero(latents.floats(), at + tokens * width, (TILE - tokens) * width);
  }

  private void expand(
      int head,
      int tile,
      int length,
      HostBuffer latents,
      HostBuffer keys,
      HostBuffer values,
      Scratch scratch) {
    Gemm.View from = new Gemm.View(latents, tile * TILE * width, width);
    int row = head * length + tile * TILE;
    Gemm.View toKeys = new Gemm.View(keys, row * key, key);
    Gemm.View toValues = new Gemm.View(values, row * value, value);
    int first = head * (nope + value);
    Gemm.independent(TILE, from, keyValue, first, nope, toKeys, false, scratch);
    Gemm.independent(TILE, from, keyValue, first + nope, value, toValues, false, scratch);
    Gemm.copy(
        from.from(0, shape.cache().latent()), toKeys.from(0, nope), TILE, shape.cache().rope());
  }

  private void attend(
      int head,
      int task,
      int first,
      int length,
      int tiles,
      HostBuffer keys,
      HostBuffer values,
      Scratch scratch) {
    int begin = task * TILE;
    int rows = Math.min(TILE, count - begin);
    int firstPosition = segment.position() - before + begin;
    int lastPosition = firstPosition + rows - 1;
    if (first > lastPosition) {
      return;
    }
    int padded = Gemm.paddedRows(rows, TILE, Math.min(key, value));
    Gemm.View query = query(head, begin, rows, padded, scratch);
    HostBuffer scoreBuffer = scratch.buffer(Scratch.Use.SCORES, (long) padded * TILE);
    HostBuffer attendedBuffer = scratch.buffer(Scratch.Use.ATTENDED, (long) padded * value);
    float[] scores = scratch.array(Scratch.Use.SCORES, padded * TILE);
    float[] attended = scratch.array(Scratch.Use.ATTENDED, rows * value);
    float[] sums = scratch.array(Scratch.Use.RESULT, rows * value);
    float[] factors = scratch.array(Scratch.Use.GATE, rows);
    FloatBuffer result = out.buffer().floats();
    int resultAt = out.offset() + (firstRow - before + begin) * out.stride() + head * value;
    if (first == 0) {
      Arrays.fill(sums, 0, rows * value, 0f);
    } else {
      for (int row = 0; row < rows; row++) {
        result.get(resultAt + row * out.stride(), sums, row * value, value);
      }
    }
    Arrays.fill(scores, rows * TILE, padded * TILE, 0f);
    Softmax running = softmax[head * tasks + task];
    for (int tile = 0; tile < tiles && first + tile * TILE <= lastPosition; tile++) {
      int row0 = head * length + tile * TILE;
      Gemm.transposed(
          padded,
          TILE,
          key,
          query,
          keys.at((long) row0 * key),
          key,
          new Gemm.View(scoreBuffer, 0, TILE));
      scoreBuffer.floats().get(0, scores, 0, rows * TILE);
      for (int row = 0; row < rows; row++) {
        int seen = Math.min(TILE, firstPosition + row - (first + tile * TILE) + 1);
        factors[row] = 1;
        if (seen > 0) {
          factors[row] =
              running.see(row, scores, row * TILE, seen, shape.scale(), scratch.exponential());
        }
        Arrays.fill(scores, row * TILE + Math.max(seen, 0), (row + 1) * TILE, 0f);
      }
      scoreBuffer.floats().put(0, scores, 0, padded * TILE);
      Gemm.plain(
          padded,
          value,
          TILE,
          new Gemm.View(scoreBuffer, 0, TILE),
          values.at((long) row0 * value),
          value,
          new Gemm.View(attendedBuffer, 0, value));
      attendedBuffer.floats().get(0, attended, 0, rows * value);
      for (int row = 0; row < rows; row++) {
        Vectors.scaleAndAdd(sums, row * value, factors[row], attended, row * value, value);
      }
    }
    boolean last = first + tiles * TILE > lastPosition;
    for (int row = Math.max(0, before - begin); row < rows; row++) {
      if (last) {
        Vectors.scale(sums, row * value, value, 1 / running.sum(row));
      }
      result.put(resultAt + row * out.stride(), sums, row * value, value);
    }
  }

  /** The task's queries, in place, or padded with zeros. */
  private Gemm.View query(int head, int begin, int rows, int padded, Scratch scratch) {
    Gemm.View all = queries.from(firstRow - before + begin, head * key);
    if (rows == padded) {
      return all;
    }
    HostBuffer buffer = scratch.buffer(Scratch.Use.QUERIES, (long) padded * key);
    Gemm.View view = new Gemm.View(buffer, 0, key);
    Gemm.copy(all, view, rows, key);
    Gemm.zero(buffer.floats(), rows * key, (padded - rows) * key);
    return view;
  }
}
