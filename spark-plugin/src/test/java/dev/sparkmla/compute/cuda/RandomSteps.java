package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/** Steps within limits, at random and often at the limits; all of their tokens lie in block 0. */
final class RandomSteps {
  private final Random random;
  private final StepLimits limits;

  RandomSteps(long seed, StepLimits limits) {
    this.random = new Random(seed);
    this.limits = limits;
  }

  List<Segment> next() {
    List<Segment> segments = new ArrayList<>();
    int tokens = upTo(limits.tokens());
    int samples = upTo(limits.sequences());
    int decodeRows = random.nextInt(4) == 0 ? 0 : Math.min(tokens, upTo(limits.sequences()));
    for (int rest = decodeRows; rest > 0; ) {
      int count = Math.min(rest, Math.min(limits.positions(), random.nextInt(9) == 0 ? 3 : 1));
      int sampled = Math.min(samples, random.nextInt(9) == 0 ? 0 : count);
      segments.add(segment(Segment.Role.DECODE, count, sampled));
      samples -= sampled;
      rest -= count;
    }
    boolean onlyDecodes = decodeRows > 0 && random.nextInt(3) == 0;
    int most = onlyDecodes ? 0 : upTo(limits.sequences());
    int rest = tokens - decodeRows;
    for (int i = 0; i < most && rest > 0; i++) {
      int count = Math.min(limits.positions(), random.nextBoolean() ? rest : upTo(rest));
      int sampled = Math.min(samples, random.nextInt(2));
      segments.add(segment(Segment.Role.PREFILL, count, sampled));
      samples -= sampled;
      rest -= count;
    }
    return segments.isEmpty() ? List.of(segment(Segment.Role.PREFILL, 1, 1)) : segments;
  }

  /** The limit in one of three cases. */
  private int upTo(int most) {
    return random.nextInt(3) == 0 ? most : 1 + random.nextInt(most);
  }

  /** One in nine has its logits processed. */
  private Sampling sampling() {
    if (random.nextInt(9) > 0) {
      return Sampling.GREEDY;
    }
    List<Integer> word = random.ints(1 + random.nextInt(9), 0, 99).boxed().toList();
    int words = random.nextInt(LogitsProcessing.MOST_IDS / word.size());
    return Sampling.GREEDY.withProcessing(
        new LogitsProcessing(Map.of(), 1.5f, 0, 0, Collections.nCopies(words, word), 0, Set.of()));
  }

  private Segment segment(Segment.Role role, int count, int samples) {
    int end = count + random.nextInt(limits.positions() - count + 1);
    if (random.nextInt(3) == 0) {
      end = limits.positions();
    }
    return new Segment(
        role,
        new Segment.Tokens.Known(new int[count]),
        end - count,
        new int[(end + 63) / 64],
        IntStream.range(count - samples, count)
            .mapToObj(offset -> new Segment.Sample(offset, sampling()))
            .toList());
  }
}
