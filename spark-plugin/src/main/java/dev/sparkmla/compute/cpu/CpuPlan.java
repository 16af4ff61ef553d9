package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.List;

/** Tokens, positions and cache slots by row, and what is sampled. */
final class CpuPlan implements StepPlan {
  private final List<Segment> decoding;
  private final List<Segment> prefilling;
  private final int[] tokens;
  private final int[] positions;
  private final int[] slots;
  private final List<Integer> sampledRows = new ArrayList<>();
  private final List<Sampling> sampling = new ArrayList<>();
  private int[] chosen = new int[0];

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
        tokens[row] =
            segment.previousRow().isPresent()
                ? ~segment.previousRow().getAsInt()
                : segment.tokens()[i];
        positions[row] = segment.position() + i;
        slots[row] = slot(segment, positions[row]);
        row++;
      }
      if (segment.sampling().isPresent()) {
        sampledRows.add(row - 1);
        sampling.add(segment.sampling().get());
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

  /** A row's token; {@code ~r} for the one that sampled row r of the step before was given. */
  int token(int row) {
    return tokens[row];
  }

  int position(int row) {
    return positions[row];
  }

  int slot(int row) {
    return slots[row];
  }

  /** The row that a sampled row is. */
  int sampledRow(int sampled) {
    return sampledRows.get(sampled);
  }

  /** How a sampled row's token is chosen. */
  Sampling sampling(int sampled) {
    return sampling.get(sampled);
  }

  /** The tokens that were sampled. */
  int[] chosen() {
    return chosen;
  }

  /** Keeps the tokens that were sampled. */
  void choose(int[] sampledTokens) {
    chosen = sampledTokens;
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
  public int sampledRows() {
    return sampledRows.size();
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
