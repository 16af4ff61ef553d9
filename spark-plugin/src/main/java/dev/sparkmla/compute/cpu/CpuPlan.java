package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.List;

/** The rows of a step, what is sampled after which of them, and the tokens that were sampled. */
final class CpuPlan implements StepPlan {
  private final List<Segment> segments;
  private final int[] firstRows;
  private final int decodeRows;
  private final List<Row> rows = new ArrayList<>();
  private final List<Integer> sampledRows = new ArrayList<>();
  private final List<Sampling> sampling = new ArrayList<>();
  private SampledTokens chosen = SampledTokens.of();

  /**
   * A token of the step.
   *
   * @param segment the segment it belongs to
   * @param index its place in the segment
   */
  record Row(Segment segment, int index) {
    int position() {
      return segment.position() + index;
    }

    /** Its id; {@code before} are the tokens that the step before chose. */
    int token(SampledTokens before) {
      if (segment.tokens() instanceof Segment.Tokens.Sampled sampled) {
        // A row without a token is dropped by whoever asked for it; any token will do until then.
        return before.token(sampled.row()).orElse(0);
      }
      return ((Segment.Tokens.Known) segment.tokens()).ids()[index];
    }
  }

  CpuPlan(List<Segment> segments) {
    this.segments = List.copyOf(segments);
    this.firstRows = new int[segments.size()];
    int decoding = 0;
    for (int i = 0; i < segments.size(); i++) {
      Segment segment = segments.get(i);
      firstRows[i] = rows.size();
      for (Segment.Sample sample : segment.samples()) {
        sampledRows.add(rows.size() + sample.offset());
        sampling.add(sample.sampling());
      }
      for (int index = 0; index < segment.count(); index++) {
        rows.add(new Row(segment, index));
      }
      switch (segment.role()) {
        case DECODE -> {
          if (decoding != firstRows[i]) {
            throw new IllegalArgumentException("a segment decodes after one that prefills");
          }
          decoding = rows.size();
        }
        case PREFILL -> {}
      }
    }
    this.decodeRows = decoding;
  }

  static CpuPlan of(StepPlan plan) {
    return (CpuPlan) plan;
  }

  /** All segments, those that decode first. */
  List<Segment> segments() {
    return segments;
  }

  /** The first row of a segment. */
  int firstRow(int segment) {
    return firstRows[segment];
  }

  Row row(int row) {
    return rows.get(row);
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
  SampledTokens chosen() {
    return chosen;
  }

  /** Keeps the tokens that were sampled. */
  void choose(SampledTokens tokens) {
    chosen = tokens;
  }

  @Override
  public int rows() {
    return rows.size();
  }

  @Override
  public int decodeRows() {
    return decodeRows;
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
