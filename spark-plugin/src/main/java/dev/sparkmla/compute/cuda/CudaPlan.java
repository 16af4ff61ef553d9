package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.RowOperations;
import dev.sparkmla.cuda.SamplingLayout;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.Sampling;
import java.nio.IntBuffer;
import java.util.List;

/**
 * Everything that a step needs from the host, laid out as int32 words that go to the device in one
 * copy: how many rows are real; token, position and cache slot of every row; which rows are sampled
 * and how; lengths and block tables of the decoding rows, each of which attends for itself; of each
 * run of prefill its starts of queries and keys, offsets and first keys; block tables of the
 * prefilling segments.
 *
 * <p>Steps that only decode are filled up to the next bucket: a row that was added decodes nothing
 * (length 0) and writes nothing (slot −1). Where words lie depends on {@link Shape} alone.
 */
final class CudaPlan implements StepPlan {
  private static final int HEADER_WORDS = 4;

  /** What the addresses of a step that only decodes depend on. */
  record Shape(int rows, int sampledRows, int tableWidth) {}

  private final PlanMemory memory;
  private final List<PrefillRun> runs;
  private final int prefillSegments;
  private final int decodeRows;
  private final int decodeSlots;
  private final int sampled;
  private final Shape shape;
  private final int positions;
  private final int slots;
  private final int sampledAt;
  private final int sampling;
  private final int lengths;
  private final int tables;
  private final int prefillTables;
  private final int words;
  private PlanMemory.Slot slot;
  private boolean scheduled;

  CudaPlan(PlanMemory memory, List<Segment> segments) {
    this.memory = memory;
    List<Segment> decoding = segments.stream().filter(CudaPlan::decodes).toList();
    List<Segment> prefilling = segments.subList(decoding.size(), segments.size());
    if (prefilling.stream().anyMatch(CudaPlan::decodes)) {
      throw new IllegalArgumentException("a segment decodes after one that prefills");
    }
    this.runs = PrefillRun.of(prefilling);
    this.prefillSegments = prefilling.size();
    this.sampled = segments.stream().mapToInt(segment -> segment.samples().size()).sum();
    boolean padded = prefilling.isEmpty();
    int realDecodeRows = tokens(decoding);
    this.decodeSlots = decoding.isEmpty() ? 0 : Buckets.above(realDecodeRows);
    this.decodeRows = padded ? decodeSlots : realDecodeRows;
    int prefillRows = tokens(prefilling);
    int width =
        Buckets.width(
            segments.stream()
                .mapToInt(CudaPlan::blocks)
                .max()
                .orElseThrow(() -> new IllegalArgumentException("a step without tokens")));
    this.shape =
        new Shape(
            decodeRows + prefillRows,
            padded && sampled > 0 ? Buckets.above(sampled) : sampled,
            width);
    this.positions = HEADER_WORDS + shape.rows;
    this.slots = positions + shape.rows;
    this.sampledAt = slots + shape.rows;
    this.sampling = (sampledAt + shape.sampledRows + 1) / 2 * 2;
    this.lengths = sampling + SamplingLayout.WORDS * shape.sampledRows;
    this.tables = lengths + decodeSlots;
    int runsAt = tables + decodeSlots * width;
    this.prefillTables = runsAt + runs.stream().mapToInt(PrefillRun::words).sum();
    this.words = prefillTables + prefillSegments * width;
    this.slot = memory.take(words, shape.sampledRows);
    write(slot.words(), decoding, prefilling, runsAt);
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

  static CudaPlan of(StepPlan plan) {
    return (CudaPlan) plan;
  }

  private static int blocks(Segment segment) {
    return (segment.end() + CacheShape.PAGE - 1) / CacheShape.PAGE;
  }

  private void write(IntBuffer to, List<Segment> decoding, List<Segment> prefilling, int runsAt) {
    int realDecodeRows = tokens(decoding);
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
    writeDecoding(to, decoding);
    int at = runsAt;
    for (PrefillRun run : runs) {
      writeRun(to, at, run, prefilling);
      at += run.words();
    }
    for (int i = 0; i < prefillSegments; i++) {
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

  private void writeDecoding(IntBuffer to, List<Segment> decoding) {
    int row = 0;
    for (Segment segment : decoding) {
      for (int i = 0; i < segment.count(); i++) {
        to.put(lengths + row, segment.position() + i + 1);
        writeTable(to, tables + row * shape.tableWidth, segment);
        row++;
      }
    }
    for (; row < decodeSlots; row++) {
      to.put(lengths + row, 0);
    }
  }

  private void writeSampling(IntBuffer to, int index, int row, Sampling how) {
    to.put(sampledAt + index, row);
    SamplingLayout.write(to, sampling + SamplingLayout.WORDS * index, how);
  }

  private void writeTable(IntBuffer to, int at, Segment segment) {
    to.put(at, segment.blocks(), 0, blocks(segment));
  }

  private static void writeRun(IntBuffer to, int at, PrefillRun run, List<Segment> prefilling) {
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

  @Override
  public int rows() {
    return shape.rows;
  }

  @Override
  public int decodeRows() {
    return decodeRows;
  }

  @Override
  public int sampledRows() {
    return shape.sampledRows;
  }

  @Override
  public int sampledRow(int sample) {
    return sample;
  }

  /** Rows that decode attention computes: {@link #decodeRows} up to the next bucket. */
  int decodeSlots() {
    return decodeSlots;
  }

  /** Columns of the block tables. */
  int tableWidth() {
    return shape.tableWidth;
  }

  /** Empty where the step also prefills: such steps are not repeated. */
  boolean onlyDecodes() {
    return prefillSegments == 0;
  }

  Shape shape() {
    return shape;
  }

  List<PrefillRun> runs() {
    return runs;
  }

  /** True the first time it is asked since the upload: the decode work is to be cut then. */
  boolean claimScheduling() {
    boolean first = !scheduled;
    scheduled = true;
    return first;
  }

  /** Enqueues the copy to the device; returns whether addresses have changed. */
  boolean upload() {
    boolean moved = memory.reserve(words, shape.sampledRows);
    memory.upload(open(), words);
    scheduled = false;
    return moved;
  }

  void download() {
    memory.download(open(), shape.sampledRows);
  }

  /** Waits for the tokens of the sampled rows; {@link RowOperations#NOT_A_NUMBER} for none. */
  int[] await() {
    return open().await(sampled);
  }

  /** int32 [1]. */
  DeviceTensor validRows() {
    return memory.words(0, 1);
  }

  /** int32 [rows]. */
  DeviceTensor tokens() {
    return memory.words(HEADER_WORDS, shape.rows);
  }

  /** int32 [count], of the rows from {@code row} on. */
  DeviceTensor positions(int row, int count) {
    return memory.words(positions + row, count);
  }

  /** int32 [rows]. */
  DeviceTensor slots() {
    return memory.words(slots, shape.rows);
  }

  /** int32 [sampledRows]. */
  DeviceTensor sampledRowTensor() {
    return memory.words(sampledAt, shape.sampledRows);
  }

  /** int32 [sampledRows * SamplingLayout.WORDS]. */
  DeviceTensor sampling() {
    return memory.words(sampling, (long) SamplingLayout.WORDS * shape.sampledRows);
  }

  /** int32 [decodeSlots]. */
  DeviceTensor lengths() {
    return memory.words(lengths, decodeSlots);
  }

  /** int32 [decodeSlots, tableWidth]. */
  DeviceTensor tables() {
    return memory.words(tables, decodeSlots, shape.tableWidth);
  }

  /** Of a run: int32 [segments + 1] starts of queries. */
  DeviceTensor queryStarts(PrefillRun run) {
    return memory.words(at(run), run.segments() + 1);
  }

  /** Of a run: int32 [segments + 1] starts of keys. */
  DeviceTensor keyStarts(PrefillRun run) {
    return memory.words(at(run) + run.segments() + 1, run.segments() + 1);
  }

  /** Of a run: int32 [segments]. */
  DeviceTensor queryOffsets(PrefillRun run) {
    return memory.words(at(run) + 2 * (run.segments() + 1), run.segments());
  }

  /** Of a run: int32 [segments]. */
  DeviceTensor firstKeys(PrefillRun run) {
    return memory.words(at(run) + 2 * (run.segments() + 1) + run.segments(), run.segments());
  }

  /** Of a run: int32 [segments, tableWidth]. */
  DeviceTensor tables(PrefillRun run) {
    return memory.words(
        prefillTables + run.firstSegment() * shape.tableWidth, run.segments(), shape.tableWidth);
  }

  private int at(PrefillRun run) {
    int at = tables + decodeSlots * shape.tableWidth;
    for (PrefillRun before : runs) {
      if (before.equals(run)) {
        return at;
      }
      at += before.words();
    }
    throw new IllegalArgumentException("a run of another plan");
  }

  private PlanMemory.Slot open() {
    if (slot == null) {
      throw new IllegalStateException("the plan is closed");
    }
    return slot;
  }

  @Override
  public void close() {
    memory.giveBack(open());
    slot = null;
  }
}
