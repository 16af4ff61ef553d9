package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.LogprobsLayout;
import dev.sparkmla.cuda.ProcessingLayout;
import dev.sparkmla.cuda.RowOperations;
import dev.sparkmla.cuda.SamplingLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A step's plan: a slot of the plan memory with the words of a {@link PlanLayout}, and these words
 * on the device, once they were uploaded.
 */
final class CudaPlan implements StepPlan {
  private final PlanMemory memory;
  private final PlanLayout layout;
  private final PlanLayout.Shape shape;
  private final Set<AttentionShape> scheduled = new HashSet<>();
  private PlanMemory.Slot slot;

  CudaPlan(PlanMemory memory, List<Segment> segments) {
    this.memory = memory;
    this.layout = new PlanLayout(segments);
    this.shape = layout.shape();
    PlanMemory.Slot taken = memory.take(layout.words(), resultWords());
    try {
      layout.write(taken.words());
    } catch (RuntimeException | Error e) {
      memory.giveBack(taken);
      throw e;
    }
    this.slot = taken;
  }

  static CudaPlan of(StepPlan plan) {
    return (CudaPlan) plan;
  }

  @Override
  public int rows() {
    return shape.rows();
  }

  @Override
  public int decodeRows() {
    return layout.decodeRows();
  }

  @Override
  public int sampledRows() {
    return shape.sampledRows();
  }

  @Override
  public int sampledRow(int sample) {
    return sample;
  }

  PlanLayout layout() {
    return layout;
  }

  /** The step is computed from its beginning now: decode attention is to be scheduled again. */
  void begin() {
    scheduled.clear();
  }

  /** True the first time that it is asked for an attention since the step began. */
  boolean claimScheduling(AttentionShape attention) {
    return scheduled.add(attention);
  }

  /** Enqueues the copy to the device. */
  void upload() {
    memory.upload(open(), layout.words(), shape.sampledRows());
    begin();
  }

  /** Enqueues the copy of what is sampled to the host. */
  void download() {
    memory.download(open(), shape.sampledRows(), shape.reportsLogprobs());
  }

  /** Words that come back: the sampled rows' tokens, then their log probabilities, if there are. */
  private int resultWords() {
    return shape.sampledRows() * (shape.reportsLogprobs() ? 1 + LogprobsLayout.WORDS : 1);
  }

  /** Waits for what is sampled. */
  SampledTokens await() {
    int[] words = open().await(resultWords());
    int[] tokens = Arrays.copyOf(words, layout.samples());
    List<Optional<Logprobs>> logprobs = new ArrayList<>();
    for (int sample = 0; sample < tokens.length; sample++) {
      int at = shape.sampledRows() + LogprobsLayout.WORDS * sample;
      logprobs.add(
          layout.sampling(sample).logprobs().isPresent()
                  && tokens[sample] != RowOperations.NOT_A_NUMBER
              ? Optional.of(logprobs(words, at, layout.sampling(sample).logprobs().getAsInt()))
              : Optional.empty());
    }
    return SampledTokens.of(tokens, logprobs);
  }

  private static Logprobs logprobs(int[] words, int at, int count) {
    return new Logprobs(
        LogprobsLayout.chosen(words, at),
        IntStream.range(0, count)
            .takeWhile(i -> LogprobsLayout.token(words, at, i) != LogprobsLayout.NO_TOKEN)
            .mapToObj(
                i ->
                    new Logprobs.Likely(
                        LogprobsLayout.token(words, at, i), LogprobsLayout.logprob(words, at, i)))
            .toList());
  }

  /** int32 [1]. */
  DeviceTensor validRows() {
    return memory.words(0, 1);
  }

  /** int32 [rows]. */
  DeviceTensor tokens() {
    return memory.words(layout.tokensAt(), shape.rows());
  }

  /** int32 [count], of the rows from {@code row} on. */
  DeviceTensor positions(int row, int count) {
    return memory.words(layout.positionsAt() + row, count);
  }

  /** int32 [rows]. */
  DeviceTensor slots() {
    return memory.words(layout.slotsAt(), shape.rows());
  }

  /** int32 [sampledRows]. */
  DeviceTensor sampledRowTensor() {
    return memory.words(layout.sampledRowsAt(), shape.sampledRows());
  }

  /** int32 [sampledRows * SamplingLayout.WORDS]. */
  DeviceTensor sampling() {
    return memory.words(layout.samplingAt(), (long) SamplingLayout.WORDS * shape.sampledRows());
  }

  /** Whether something is done to any sampled row's logits. */
  boolean processesLogits() {
    return shape.processesLogits();
  }

  /** Whether any sampled row asks for log probabilities. */
  boolean reportsLogprobs() {
    return shape.reportsLogprobs();
  }

  /** int32 [sampledRows * ProcessingLayout.WORDS]. */
  DeviceTensor processing() {
    return memory.words(layout.processingAt(), (long) ProcessingLayout.WORDS * shape.sampledRows());
  }

  /** Everything that the plan's memory holds: int32 [any]. */
  DeviceTensor words() {
    return memory.words();
  }

  /** int32 [decodeSlots]. */
  DeviceTensor lengths() {
    return memory.words(layout.lengthsAt(), layout.decodeSlots());
  }

  /** int32 [decodeSlots]: tokens of each row's sequence that were cached before the step. */
  DeviceTensor settled() {
    return memory.words(layout.settledAt(), layout.decodeSlots());
  }

  /** int32 [decodeSlots, tableWidth]. */
  DeviceTensor tables() {
    return memory.words(layout.tablesAt(), layout.decodeSlots(), shape.tableWidth());
  }

  /** Of a run: int32 [segments + 1] starts of queries. */
  DeviceTensor queryStarts(PrefillRun run) {
    return memory.words(layout.runAt(run), run.segments() + 1);
  }

  /** Of a run: int32 [segments + 1] starts of keys. */
  DeviceTensor keyStarts(PrefillRun run) {
    return memory.words(layout.runAt(run) + run.segments() + 1, run.segments() + 1);
  }

  /** Of a run: int32 [segments]. */
  DeviceTensor queryOffsets(PrefillRun run) {
    return memory.words(layout.runAt(run) + 2 * (run.segments() + 1), run.segments());
  }

  /** Of a run: int32 [segments]. */
  DeviceTensor firstKeys(PrefillRun run) {
    return memory.words(
        layout.runAt(run) + 2 * (run.segments() + 1) + run.segments(), run.segments());
  }

  /** Of a run: int32 [segments, tableWidth]. */
  DeviceTensor tables(PrefillRun run) {
    return memory.words(layout.tablesAt(run), run.segments(), shape.tableWidth());
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
