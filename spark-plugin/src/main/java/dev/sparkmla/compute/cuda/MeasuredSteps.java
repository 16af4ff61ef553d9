package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The steps that are computed before the memory of a device is given away, so that no step within
 * the limits takes any later. Every token of theirs lies in the cache's first block.
 *
 * <p><b>Why they are enough for the arena.</b> What a step has in the arena at one point of the
 * forward pass depends on five of its sizes: its rows; the rows that decode, during decode
 * attention; the rows that prefill and the keys of the largest run, during prefill attention; the
 * sampled rows, at the end. It becomes more with each of these, and rows up to the next bucket
 * count as that bucket. So no step needs more than one that has all sizes of a point at their
 * limits:
 *
 * <ul>
 *   <li>a step that only decodes has rows up to the last bucket, all of which decode and are
 *       sampled, have their logits processed and report log probabilities: {@link #decoding};
 *   <li>another step has at most the limit's tokens as rows. During decode attention and at the end
 *       it needs no more than {@link #mixed}, where as many rows as possible decode and are
 *       sampled; during prefill attention no more than {@link #prefilling}, where all rows prefill
 *       and a run has as many keys as possible.
 * </ul>
 *
 * <p>These three are {@link #largest}. What the arena makes of their sums is written there.
 *
 * <p><b>Why they are enough for the rest.</b> Decode attention's workspace is that of the largest
 * shape from the first step on, the plan's memory is reserved by itself, and so are the graphs.
 * CUDA loads a kernel's code when it is first launched; cuBLASLt and the experts choose among
 * kernels by the power of two that a number of rows lies under. {@link #smaller} has a step for
 * each of these.
 */
final class MeasuredSteps {
  /** cuBLASLt is asked for no more rows than this when an algorithm is chosen. */
  private static final int MOST_TYPICAL_ROWS = 8192;

  private static final Sampling SAMPLED =
      Sampling.GREEDY
          .withProcessing(new LogitsProcessing(Map.of(), 2, 0, 0, List.of(), 0, Set.of()))
          .withLogprobs(OptionalInt.of(Sampling.MOST_LOGPROBS));

  private final int sequences;
  private final int positions;
  private final int tokens;
  private final int keys;

  MeasuredSteps(StepLimits limits) {
    sequences = Math.min(limits.sequences(), limits.tokens());
    positions = limits.positions();
    long all = (long) sequences * positions;
    tokens = (int) Math.min(limits.tokens(), all);
    keys = (int) Math.min(PrefillRun.MOST_KEYS, all);
  }

  /** The steps that need the most memory; the first has the largest decode attention. */
  List<List<Segment>> largest() {
    return List.of(decoding(), mixed(), prefilling(tokens, keys));
  }

  /** A step of every number of rows and of keys that kernels are chosen by. */
  List<List<Segment>> smaller() {
    List<List<Segment>> steps = new ArrayList<>();
    for (int rows = 1; rows < sequences; rows *= 2) {
      steps.add(decoding(rows));
    }
    for (int rows = 1; rows <= MOST_TYPICAL_ROWS && rows < Math.max(tokens, keys); rows *= 2) {
      steps.add(prefilling(Math.min(rows, tokens), Math.min(rows, keys)));
    }
    return steps;
  }

  /** The step of the most rows that only decode, one of them with the widest block table. */
  List<Segment> decoding() {
    return decoding(sequences);
  }

  private List<Segment> decoding(int rows) {
    List<Segment> segments = new ArrayList<>(Collections.nCopies(rows, decode(1)));
    segments.set(0, decode(positions));
    return segments;
  }

  /** As many rows as possible decode; the others prefill. */
  private List<Segment> mixed() {
    List<Segment> segments = decoding();
    addPrompts(segments, tokens - sequences);
    return segments;
  }

  /**
   * A step that only prefills.
   *
   * @param rows how many tokens
   * @param runKeys keys of its largest run
   */
  private List<Segment> prefilling(int rows, int runKeys) {
    List<Segment> segments = new ArrayList<>();
    // A context that is cut into runs of the most keys, or several that fill one run.
    boolean cut = runKeys == PrefillRun.MOST_KEYS && positions > runKeys;
    int context = cut ? Math.min(positions, 2 * runKeys) : runKeys;
    int rest = rows;
    for (int contexts = (context + positions - 1) / positions; contexts > 0; contexts--) {
      int end = Math.min(context, positions);
      int count = Math.min(end, rest - (contexts - 1));
      segments.add(prefill(count, end));
      context -= end;
      rest -= count;
    }
    addPrompts(segments, rest);
    return segments;
  }

  /** Adds whole prompts of so many tokens. */
  private void addPrompts(List<Segment> segments, int rows) {
    for (int rest = rows; rest > 0; rest -= positions) {
      int count = Math.min(rest, positions);
      segments.add(prefill(count, count));
    }
  }

  /**
   * The last token of a sequence, with the token after it sampled with everything that takes
   * memory.
   */
  private static Segment decode(int end) {
    return segment(Segment.Role.DECODE, 1, end, List.of(new Segment.Sample(0, SAMPLED)));
  }

  /** The last tokens of a prompt. */
  private static Segment prefill(int count, int end) {
    return segment(Segment.Role.PREFILL, count, end, List.of());
  }

  private static Segment segment(
      Segment.Role role, int count, int end, List<Segment.Sample> samples) {
    int blocks = (int) (((long) end + CacheShape.PAGE - 1) / CacheShape.PAGE);
    return new Segment(
        role, new Segment.Tokens.Known(new int[count]), end - count, new int[blocks], samples);
  }
}
