package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import java.util.ArrayList;
import java.util.List;

/** Tokens, positions and cache slots by row. */
final class CpuPlan implements StepPlan {
  private final List<Segment> decoding;
  private final List<Segment> prefilling;
  private final int[] tokens;
  private final int[] positions;
  private final int[] slots;

  CpuPlan(List<Segment> decoding, List<Segment> prefilling) {
    this.decoding = List.copyOf(decoding);
    this.prefilling = List.copyOf(prefilling);
    List<Segment> all = new ArrayList<>(decoding);
    all.addAll(prefilling);
    int rows = all.stream().mapToInt(segment -> segment.tokens().length).sum();
    tokens = new int[rows];
    positions = new int[rows];
    slots = new int[rows];
    int row = 0;
    for (Segment segment : all) {
      for (int i = 0; i < segment.tokens().length; i++) {
        tokens[row] = segment.tokens()[i];
        positions[row] = segment.position() + i;
        slots[row] = slot(segment, positions[row]);
        row++;
      }
    }
  }

  static CpuPlan of(StepPlan plan) {
    return (CpuPlan) plan;
  }

  /** Where in a layer of the cache a position of a sequence lies, in tokens. */
  static int slot(Segment segment, int position) {
    return segment.blocks()[position / LatentCache.BLOCK_TOKENS] * LatentCache.BLOCK_TOKENS
        + position % LatentCache.BLOCK_TOKENS;
  }

  List<Segment> decoding() {
    return decoding;
  }

  List<Segment> prefilling() {
    return prefilling;
  }

  int token(int row) {
    return tokens[row];
  }

  int position(int row) {
    return positions[row];
  }

  int slot(int row) {
    return slots[row];
  }

  @Override
  public int rows() {
    return tokens.length;
  }

  @Override
  public int decodeRows() {
    return decoding.size();
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
