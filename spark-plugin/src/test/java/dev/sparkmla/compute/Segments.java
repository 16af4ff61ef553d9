package dev.sparkmla.compute;

import dev.sparkmla.compute.Segment.Role;
import dev.sparkmla.compute.Segment.Sample;
import dev.sparkmla.compute.Segment.Tokens;
import dev.sparkmla.policy.Sampling;
import java.util.List;

/** Segments of tests, with known tokens; greedy after their last token where they are sampled. */
public final class Segments {
  private Segments() {}

  /** A chunk of a prompt that no token is chosen after. */
  public static Segment chunk(int[] ids, int position, int[] blocks) {
    return new Segment(Role.PREFILL, new Tokens.Known(ids), position, blocks, List.of());
  }

  /** The end of a prompt. */
  public static Segment prompt(int[] ids, int position, int[] blocks) {
    return new Segment(Role.PREFILL, new Tokens.Known(ids), position, blocks, last(ids.length));
  }

  /** Generated tokens. */
  public static Segment decode(int[] ids, int position, int[] blocks) {
    return new Segment(Role.DECODE, new Tokens.Known(ids), position, blocks, last(ids.length));
  }

  /** The token that a sampled row of the step before is given. */
  public static Segment goesOn(int row, int position, int[] blocks) {
    return new Segment(Role.DECODE, new Tokens.Sampled(row), position, blocks, last(1));
  }

  private static List<Sample> last(int count) {
    return List.of(new Sample(count - 1, Sampling.GREEDY));
  }
}
