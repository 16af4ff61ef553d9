package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.cuda.ProcessingLayout;
import dev.sparkmla.cuda.SamplingLayout;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.Sampling;
import java.nio.IntBuffer;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * Everything that a step needs from the host, laid out as int32 words that go to the device in one
 * copy: how many rows are real; token, position and cache slot of every row; which rows are sampled
 * and how; lengths, cached tokens and block tables of the decoding rows, each of which attends for
 * itself; of each run of prefill its starts of queries and keys, offsets and first keys; block
 * tables of the prefilling segments. Where a sampled row has its logits processed, what is done to
 * each of them, too, and at the end the token ids that this names.
 *
 * <p>Steps that only decode are filled up to the next bucket: a row that was added decodes nothing
 * (length 0) and writes nothing (slot −1). Where their words lie depends on {@link Shape} alone.
 * Immutable.
 */
final class PlanLayout {
  private static final int HEADER_WORDS = 4;

  /** 1 GiB: buffers of the host are measured in an int of bytes. */
  private static final long MOST_WORDS = 1L << 28;

  /**
   * What the operations and addresses of a step that only decodes depend on.
   *
   * @param processesLogits whether something is done to any sampled row's logits
   * @param reportsLogprobs whether any sampled row asks for log probabilities
   */
  record Shape(
      int rows,
      int sampledRows,
      int tableWidth,
      boolean processesLogits,
      boolean reportsLogprobs) {}

  private final List<Segment> decoding;
  private final List<Segment> prefilling;
  private final List<PrefillRun> runs;
  private final int realDecodeRows;
  private final int decodeRows;
  private final int decodeSlots;
  private final int samples;
  private final List<Sampling> samplings;
  private final Shape shape;
  private final int positions;
  private final int slots;
  private final int sampledAt;
  private final int sampling;
  private final int processing;
  private final int lengths;
  private final int settled;
  private final int tables;
  private final int runsAt;
  private final int prefillTables;
  private final int lists;
  private final int words;

  /**
   * Lays out a step.
   *
   * @throws IllegalArgumentException if there is no segment, or one decodes after one that prefills
   * @throws ComputeException if the step's description is too large
   */
  PlanLayout(List<Segment> segments) {
    if (segments.isEmpty()) {
      throw new IllegalArgumentException("a step without segments");
    }
    decoding = segments.stream().filter(PlanLayout::decodes).toList();
    prefilling = List.copyOf(segments.subList(decoding.size(), segments.size()));
    if (prefilling.stream().anyMatch(PlanLayout::decodes)) {
      throw new IllegalArgumentException("a segment decodes after one that prefills");
    }
    runs = PrefillRun.of(prefilling);
    samplings = samples(segments).map(Segment.Sample::sampling).toList();
    samples = samplings.size();
    boolean padded = prefilling.isEmpty();
    realDecodeRows = tokens(decoding);
    decodeSlots = decoding.isEmpty() ? 0 : Buckets.above(realDecodeRows);
    decodeRows = padded ? decodeSlots : realDecodeRows;
    int width = Buckets.width(segments.stream().mapToInt(PlanLayout::blocks).max().orElseThrow());
    shape =
        new Shape(
            decodeRows + tokens(prefilling),
            padded && samples > 0 ? Buckets.above(samples) : samples,
            width,
            samples(segments).anyMatch(Segment.Sample::processesLogits),
            samples(segments).anyMatch(sample -> sample.sampling().logprobs().isPresent()));
    long runWords = runs.stream().mapToLong(PrefillRun::words).sum();
    long listWords = shape.processesLogits ? listWords(segments) : 0;
    words = words(shape, decodeSlots, runWords, prefilling.size(), listWords);
    positions = HEADER_WORDS + shape.rows;
    slots = positions + shape.rows;
    sampledAt = slots + shape.rows;
    sampling = (sampledAt + shape.sampledRows + 1) / 2 * 2;
    processing = sampling + SamplingLayout.WORDS * shape.sampledRows;
    lengths = processing + processingWords(shape);
    settled = lengths + decodeSlots;
    tables = settled + decodeSlots;
    runsAt = tables + decodeSlots * width;
    prefillTables = runsAt + (int) runWords;
    lists = prefillTables + prefilling.size() * width;
  }

  private static Stream<Segment.Sample> samples(List<Segment> segments) {
    return segments.stream().flatMap(segment -> segment.samples().stream());
  }

  private static long listWords(List<Segment> segments) {
    return samples(segments)
        .filter(Segment.Sample::processesLogits)
        .mapToLong(sample -> ProcessingLayout.listWords(sample.sampling().processing()))
        .sum();
  }

  private static int processingWords(Shape shape) {
    return shape.processesLogits ? ProcessingLayout.WORDS * shape.sampledRows : 0;
  }

  /** Words of a plan; they become more with every one of the sizes. */
  private static int words(
      Shape shape, long decodeSlots, long runWords, long prefillSegments, long listWords) {
    long words =
        HEADER_WORDS
            + 3L * shape.rows
            + (1L + SamplingLayout.WORDS) * shape.sampledRows
            + 1
            + processingWords(shape)
            + 2 * decodeSlots
            + (decodeSlots + prefillSegments) * shape.tableWidth
            + runWords
            + listWords;
    if (words > MOST_WORDS) {
      throw new ComputeException(
          ("a step with %d rows and %d block tables of %d columns takes %d words to describe, more"
                  + " than %d; let fewer sequences run at once")
              .formatted(
                  shape.rows, decodeSlots + prefillSegments, shape.tableWidth, words, MOST_WORDS));
    }
    return (int) words;
  }

  /** The largest of each size that a step within limits has, whether or not one step has all. */
  static Shape largestShape(StepLimits limits) {
    int decodeRows = Buckets.above(limits.sequences());
    return new Shape(
        Math.max(limits.tokens(), decodeRows),
        decodeRows,
        Buckets.width(blocks(limits.positions())),
        true,
        true);
  }

  /**
   * Words that are enough for every step within limits.
   *
   * @throws ComputeException if they are too many
   */
  static int mostWords(StepLimits limits) {
    long segments = limits.sequences();
    long runsOfOne = 1 + limits.positions() / PrefillRun.MOST_KEYS;
    return words(
        largestShape(limits),
        Buckets.above(limits.sequences()),
        segments * runsOfOne * PrefillRun.words(1),
        segments,
        segments * ProcessingLayout.MOST_LIST_WORDS);
  }

  private static boolean decodes(Segment segment) {
    return switch (segment.role()) {
      case DECODE -> true;
      case PREFILL -> false;
    };
  }

  private static int tokens(List<Segment> segments) {
    return segments.stream().mapToInt(Segment::count).sum();
  }

  private static int blocks(Segment segment) {
    return blocks(segment.end());
  }

  private static int blocks(int tokens) {
    return (int) (((long) tokens + CacheShape.PAGE - 1) / CacheShape.PAGE);
  }

  /** Writes the words from {@code to}'s start on. */
  void write(IntBuffer to) {
    to.put(0, realDecodeRows + shape.rows - decodeRows);
    writeRows(to, decoding, 0);
    for (int row = realDecodeRows; row < decodeRows; row++) {
      to.put(HEADER_WORDS + row, 0).put(positions + row, 0).put(slots + row, -1);
    }
    writeRows(to, prefilling, decodeRows);
    int written = writeSampled(to, decoding, 0, 0);
    written = writeSampled(to, prefilling, decodeRows, written);
    for (; written < shape.sampledRows; written++) {
      writeSampling(to, written, 0, Sampling.GREEDY);
    }
    if (shape.processesLogits) {
      writeProcessing(to);
    }
    writeDecoding(to);
    int at = runsAt;
    for (PrefillRun run : runs) {
      writeRun(to, at, run);
      at += run.words();
    }
    for (int i = 0; i < prefilling.size(); i++) {
      writeTable(to, prefillTables + i * shape.tableWidth, prefilling.get(i));
    }
  }

  private void writeRows(IntBuffer to, List<Segment> segments, int firstRow) {
    int row = firstRow;
    for (Segment segment : segments) {
      for (int i = 0; i < segment.count(); i++) {
        int position = segment.position() + i;
        to.put(HEADER_WORDS + row, token(segment, i)).put(positions + row, position);
        to.put(
            slots + row,
            segment.blocks()[position / CacheShape.PAGE] * CacheShape.PAGE
                + position % CacheShape.PAGE);
        row++;
      }
    }
  }

  /** A token's id, or {@code ~row} for the one that a sampled row of the step before was given. */
  private static int token(Segment segment, int index) {
    if (segment.tokens() instanceof Segment.Tokens.Sampled sampled) {
      return ~sampled.row();
    }
    return ((Segment.Tokens.Known) segment.tokens()).ids()[index];
  }

  /** Writes the samples of some segments, and returns how many are written then. */
  private int writeSampled(IntBuffer to, List<Segment> segments, int firstRow, int written) {
    int row = firstRow;
    int at = written;
    for (Segment segment : segments) {
      for (Segment.Sample sample : segment.samples()) {
        writeSampling(to, at++, row + sample.offset(), sample.sampling());
      }
      row += segment.count();
    }
    return at;
  }

  private void writeProcessing(IntBuffer to) {
    int at = processing;
    int list = lists;
    int table = tables;
    for (List<Segment> segments : List.of(decoding, prefilling)) {
      for (Segment segment : segments) {
        for (Segment.Sample sample : segment.samples()) {
          Sampling sampling = sample.sampling();
          if (sample.processesLogits()) {
            int history = segment.position() + sample.offset() + 1;
            ProcessingLayout.write(to, at, sampling, history, table, list);
            if (sample.constrained().isPresent()) {
              writeConstrained(to, at, sample.constrained().get());
            }
            list += ProcessingLayout.listWords(sampling.processing());
          } else {
            ProcessingLayout.writeNone(to, at);
          }
          at += ProcessingLayout.WORDS;
        }
        // A decoding segment has a block table for each of its rows.
        table += shape.tableWidth * (decodes(segment) ? segment.count() : 1);
      }
      table = prefillTables;
    }
    for (; at < lengths; at += ProcessingLayout.WORDS) {
      ProcessingLayout.writeNone(to, at);
    }
  }

  private static void writeConstrained(IntBuffer to, int at, Segment.Constrained constrained) {
    AutomatonMemory.Table table = (AutomatonMemory.Table) constrained.table();
    OptionalInt after = table.constraint().after();
    if (constrained.position() instanceof Segment.Position.Sampled sampled) {
      ProcessingLayout.writeConstraintAfter(to, at, table.place(), after, sampled.row());
    } else if (constrained.position() instanceof Segment.Position.Known known) {
      ProcessingLayout.writeConstraint(to, at, table.place(), after, known.position());
    }
  }

  private void writeDecoding(IntBuffer to) {
    int row = 0;
    for (Segment segment : decoding) {
      for (int i = 0; i < segment.count(); i++) {
        to.put(lengths + row, segment.position() + i + 1);
        to.put(settled + row, segment.position());
        writeTable(to, tables + row * shape.tableWidth, segment);
        row++;
      }
    }
    for (; row < decodeSlots; row++) {
      to.put(lengths + row, 0).put(settled + row, 0);
    }
  }

  private void writeSampling(IntBuffer to, int index, int row, Sampling how) {
    to.put(sampledAt + index, row);
    SamplingLayout.write(to, sampling + SamplingLayout.WORDS * index, how);
  }

  private void writeTable(IntBuffer to, int at, Segment segment) {
    to.put(at, segment.blocks(), 0, blocks(segment));
  }

  private void writeRun(IntBuffer to, int at, PrefillRun run) {
    int keyStarts = at + run.segments() + 1;
    int offsets = keyStarts + run.segments() + 1;
    int firstKeys = offsets + run.segments();
    int queries = 0;
    int keys = 0;
    for (int i = 0; i < run.segments(); i++) {
      Segment segment = prefilling.get(run.firstSegment() + i);
      to.put(at + i, queries).put(keyStarts + i, keys);
      to.put(offsets + i, segment.position() - run.firstKey()).put(firstKeys + i, run.firstKey());
      queries += segment.count();
      keys += run.segments() == 1 ? run.keys() : segment.end();
    }
    to.put(at + run.segments(), queries).put(keyStarts + run.segments(), keys);
  }

  Shape shape() {
    return shape;
  }

  /** Rows of the step's activations that decode, those that were added among them. */
  int decodeRows() {
    return decodeRows;
  }

  /** Rows that decode attention computes: {@link #decodeRows} up to the next bucket. */
  int decodeSlots() {
    return decodeSlots;
  }

  /** Rows that prefill, for tests. */
  int prefillRows() {
    return shape.rows - decodeRows;
  }

  /** How the token of a sampled row is chosen that was not added. */
  Sampling sampling(int sample) {
    return samplings.get(sample);
  }

  /** Sampled rows without those that were added. */
  int samples() {
    return samples;
  }

  /** Whether the step may be recorded: one that also prefills is not repeated. */
  boolean onlyDecodes() {
    return prefilling.isEmpty();
  }

  List<PrefillRun> runs() {
    return runs;
  }

  /** The most keys of a run; 0 where nothing prefills. */
  int mostKeys() {
    return runs.stream().mapToInt(PrefillRun::keys).max().orElse(0);
  }

  /** How many words there are. */
  int words() {
    return words;
  }

  /** Where the rows' tokens begin. */
  int tokensAt() {
    return HEADER_WORDS;
  }

  /** Where the rows' positions begin. */
  int positionsAt() {
    return positions;
  }

  /** Where the rows' slots in the cache begin. */
  int slotsAt() {
    return slots;
  }

  /** Where the numbers of the sampled rows begin. */
  int sampledRowsAt() {
    return sampledAt;
  }

  /** Where the sampled rows' parameters begin. */
  int samplingAt() {
    return sampling;
  }

  /** Where what is done to the sampled rows' logits begins. */
  int processingAt() {
    return processing;
  }

  /** Where the decoding rows' lengths begin. */
  int lengthsAt() {
    return lengths;
  }

  /** Where it begins how many tokens of the decoding rows' sequences were there before the step. */
  int settledAt() {
    return settled;
  }

  /** Where the decoding rows' block tables begin. */
  int tablesAt() {
    return tables;
  }

  /** Where the block tables of a run's segments begin. */
  int tablesAt(PrefillRun run) {
    return prefillTables + run.firstSegment() * shape.tableWidth;
  }

  /** Where a run's arrays begin. */
  int runAt(PrefillRun run) {
    int at = runsAt;
    for (PrefillRun before : runs) {
      if (before.equals(run)) {
        return at;
      }
      at += before.words();
    }
    throw new IllegalArgumentException("a run of another plan");
  }
}
