package dev.sparkmla.compute;

import dev.sparkmla.policy.Sampling;
import java.util.List;
import java.util.Optional;

/**
 * One sequence's part of a step: a run of its tokens, how attention is computed for them, and where
 * new tokens are chosen. The engine builds it, a backend reads it. The arrays belong to the segment
 * and are never written again.
 *
 * @param role the form in which attention is computed
 * @param tokens the tokens at positions {@code position .. position + n - 1}
 * @param position position of the first of them; everything before it is in the cache, or is
 *     computed by the steps before
 * @param blocks the sequence's cache blocks in order, at least as many as hold {@link #end} tokens
 * @param samples where new tokens are chosen, by ascending offset; empty when none is wanted
 */
public record Segment(Role role, Tokens tokens, int position, int[] blocks, List<Sample> samples) {

  /**
   * The form in which attention is computed (DeepSeek-V2, section 2.1). Both compute the same
   * function and round differently, so that whoever builds a segment must say which it is.
   */
  public enum Role {
    /** Absorbed: each token's query moves into the latent's space and attends to cached latents. */
    DECODE,
    /** Expanded: keys and values are computed from the cached latents for all queries at once. */
    PREFILL
  }

  /** Which tokens a segment computes. */
  public sealed interface Tokens {
    /** How many. */
    int count();

    /**
     * Tokens that the host knows.
     *
     * @param ids int32 {@code [n]}, n ≥ 1
     */
    record Known(int[] ids) implements Tokens {
      @Override
      public int count() {
        return ids.length;
      }
    }

    /**
     * The one token that the step before chooses; it need not have reached the host.
     *
     * @param row which of that step's sampled rows
     */
    record Sampled(int row) implements Tokens {
      @Override
      public int count() {
        return 1;
      }
    }
  }

  /**
   * A place where a new token is chosen.
   *
   * @param offset the new token follows the segment's token {@code offset}
   * @param sampling how it is chosen
   * @param constrained what it is constrained by, if it is
   */
  public record Sample(int offset, Sampling sampling, Optional<Constrained> constrained) {
    /** A token that is not constrained. */
    public Sample(int offset, Sampling sampling) {
      this(offset, sampling, Optional.empty());
    }

    /** Whether anything is done to its logits before it is chosen. */
    public boolean processesLogits() {
      return sampling.processesLogits() || constrained.isPresent();
    }
  }

  /**
   * What a sampled token is constrained by.
   *
   * @param table the constraint, open until the step is run
   * @param position how far the answer is before the token
   */
  public record Constrained(ConstraintTable table, Position position) {}

  /** How far an answer is. */
  public sealed interface Position {
    /**
     * A position that the host knows.
     *
     * @param position of the {@link dev.sparkmla.policy.Constraint}
     */
    record Known(long position) implements Position {}

    /**
     * The position that the token of a sampled row of the step before leads to; its sample must
     * have been constrained by the same.
     *
     * @param row which of that step's sampled rows
     */
    record Sampled(int row) implements Position {}
  }

  /**
   * Checks what can be checked without the model.
   *
   * @throws IllegalArgumentException if there is no token, the position is negative, or the samples
   *     are not within the segment and ascending
   */
  public Segment {
    samples = List.copyOf(samples);
    if (tokens.count() < 1 || position < 0) {
      throw new IllegalArgumentException(
          "a segment of "
              + tokens.count()
              + " tokens at position "
              + position
              + "; expected at least 1 token and a position of at least 0");
    }
    int least = 0;
    for (Sample sample : samples) {
      if (sample.offset() < least || sample.offset() >= tokens.count()) {
        throw new IllegalArgumentException(
            "a sample after token "
                + sample.offset()
                + " of a segment of "
                + tokens.count()
                + " tokens; expected ascending offsets within it");
      }
      least = sample.offset() + 1;
    }
  }

  /** Number of tokens. */
  public int count() {
    return tokens.count();
  }

  /** Position after the last token: how many tokens of the sequence are computed then. */
  public int end() {
    return position + count();
  }
}
