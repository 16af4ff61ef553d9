package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The rows of a step, what is sampled after which of them, and the tokens that were sampled. Rows
 * lie where a {@link RowPlacement} puts them; places between them may be empty.
 */
final class CpuPlan implements StepPlan {
  private final List<Segment> segments;
  private final Sampled before;
  private final List<Optional<Row>> rows = new ArrayList<>();
  private final int[] firstRows;
  private final int decodeRows;
  private final int[] samples;
  private final int[] rowsOfSamples;
  private final List<Integer> sources = new ArrayList<>();
  private final List<PlacedSample> placed = new ArrayList<>();
  private Sampled sampled = Sampled.NOTHING;

  /**
   * A token of the step.
   *
   * @param segment the segment it belongs to
   * @param position its position in the sequence
   * @param token its id
   */
  record Row(Segment segment, int position, int token) {}

  /**
   * What a step sampled.
   *
   * @param tokens by sample
   * @param positions of constrained samples before their tokens, by sample
   */
  record Sampled(SampledTokens tokens, long[] positions) {
    static final Sampled NOTHING = new Sampled(SampledTokens.of(), new long[0]);
  }

  private record PlacedSample(Segment segment, Segment.Sample sample) {}

  /**
   * Lays out a step.
   *
   * @param segments its segments, those that decode first
   * @param before what the step before sampled
   * @param placement where rows lie
   */
  CpuPlan(List<Segment> segments, Sampled before, RowPlacement placement) {
    this.segments = List.copyOf(segments);
    this.before = before;
    this.firstRows = new int[segments.size()];
    int decoding = 0;
    while (decoding < segments.size() && decodes(segments.get(decoding))) {
      decoding++;
    }
    if (segments.stream().skip(decoding).anyMatch(CpuPlan::decodes)) {
      throw new IllegalArgumentException("a segment decodes after one that prefills");
    }
    placeDecoding(segments.subList(0, decoding), placement);
    this.decodeRows = rows.size();
    for (int i = decoding; i < segments.size(); i++) {
      firstRows[i] = placePrefilling(segments.get(i), placement);
    }
    this.samples = placement.place(sources.size(), i -> RowPlacement.half(sources.get(i)));
    this.rowsOfSamples = RowPlacement.places(samples, sources.size());
  }

  private static boolean decodes(Segment segment) {
    return switch (segment.role()) {
      case DECODE -> true;
      case PREFILL -> false;
    };
  }

  /** Rows that decode are spread over both halves by what is their own: position and token. */
  private void placeDecoding(List<Segment> decoding, RowPlacement placement) {
    List<Row> tokens = decoding.stream().flatMap(segment -> rows(segment).stream()).toList();
    int[] placed =
        placement.place(tokens.size(), i -> tokens.get(i).position() + tokens.get(i).token());
    for (int i : placed) {
      rows.add(i == RowPlacement.EMPTY ? Optional.empty() : Optional.of(tokens.get(i)));
    }
    int[] places = RowPlacement.places(placed, tokens.size());
    int first = 0;
    for (Segment segment : decoding) {
      for (Segment.Sample sample : segment.samples()) {
        addSample(segment, sample, places[first + sample.offset()]);
      }
      first += segment.count();
    }
  }

  private int placePrefilling(Segment segment, RowPlacement placement) {
    int first = placement.next(rows.size(), segment.position());
    while (rows.size() < first) {
      rows.add(Optional.empty());
    }
    rows(segment).forEach(row -> rows.add(Optional.of(row)));
    for (Segment.Sample sample : segment.samples()) {
      addSample(segment, sample, first + sample.offset());
    }
    return first;
  }

  private List<Row> rows(Segment segment) {
    List<Row> made = new ArrayList<>(segment.count());
    for (int i = 0; i < segment.count(); i++) {
      made.add(new Row(segment, segment.position() + i, token(segment, i)));
    }
    return made;
  }

  private int token(Segment segment, int index) {
    if (segment.tokens() instanceof Segment.Tokens.Sampled sampled) {
      // A row without a token is dropped by whoever asked for it; any token will do until then.
      return before.tokens().token(sampled.row()).orElse(0);
    }
    return ((Segment.Tokens.Known) segment.tokens()).ids()[index];
  }

  private void addSample(Segment segment, Segment.Sample sample, int row) {
    sources.add(row);
    placed.add(new PlacedSample(segment, sample));
  }

  static CpuPlan of(StepPlan plan) {
    return (CpuPlan) plan;
  }

  /** All segments, those that decode first. */
  List<Segment> segments() {
    return segments;
  }

  /** The first row of a segment that prefills. */
  int firstRow(int segment) {
    return firstRows[segment];
  }

  /** What lies in a row; empty where the place is. */
  Optional<Row> row(int row) {
    return rows.get(row);
  }

  /** Number of samples. */
  int samples() {
    return sources.size();
  }

  /** The row that a sampled row is taken from, or {@link RowPlacement#EMPTY}. */
  int source(int sampledRow) {
    int sample = samples[sampledRow];
    return sample == RowPlacement.EMPTY ? RowPlacement.EMPTY : sources.get(sample);
  }

  /** How a sample's token is chosen. */
  Sampling sampling(int sample) {
    return placed.get(sample).sample().sampling();
  }

  /** The tokens that a sample's token follows, from the sequence's first on. */
  int[] history(int sample, CpuCache cache) {
    PlacedSample place = placed.get(sample);
    return cache.tokens(place.segment(), place.segment().position() + place.sample().offset() + 1);
  }

  /** What a sample's token is constrained by. */
  Optional<AllowedTokens> allowed(int sample) {
    return placed.get(sample).sample().constrained().map(by -> (AllowedTokens) by.table());
  }

  /** How far the answer of a constrained sample is. */
  long position(int sample) {
    Segment.Constrained constrained = placed.get(sample).sample().constrained().orElseThrow();
    if (constrained.position() instanceof Segment.Position.Sampled sampled) {
      OptionalInt token = before.tokens().token(sampled.row());
      return token.isEmpty()
          ? ByteAutomaton.DEAD
          : constrained
              .table()
              .constraint()
              .advance(before.positions()[sampled.row()], token.getAsInt());
    }
    return ((Segment.Position.Known) constrained.position()).position();
  }

  /** What was sampled. */
  Sampled sampled() {
    return sampled;
  }

  /** Keeps what was sampled. */
  void keep(Sampled outcome) {
    sampled = outcome;
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
    return samples.length;
  }

  @Override
  public int sampledRow(int sample) {
    return rowsOfSamples[sample];
  }

  @Override
  public void close() {
    // Nothing but heap memory.
  }
}
