package dev.sparkmla.engine;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.BlockTable;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * One prompt with the tokens generated for it, and its place in the cache. Once scheduled, it
 * belongs to the scheduler's thread.
 */
final class Sequence {
  private final int promptTokens;
  private final int maxTokens;
  private final Sampling sampling;
  private final Optional<Constraint> constraint;

  /** The prompt's ids, then the generated ones; valid up to {@link #length}. */
  private int[] tokens;

  private int length;
  private BlockTable table;
  private final List<Logprobs> logprobs = new ArrayList<>();
  private int cachedTokens;
  private Optional<ConstraintTable> constraintTable = Optional.empty();

  /** How far the answer is after the known tokens, where it is constrained. */
  private long position;

  private boolean preempted;
  private boolean dropped;

  /** Tokens that submitted steps choose and that are not known yet. */
  private int inFlight;

  /** Tokens that are computed when all submitted steps are done, unknown ones among them. */
  private int scheduled;

  /** Which sampled row of the step submitted last for it chooses its token. */
  private int sampledRow;

  /**
   * @param prompt the prompt's token ids, at least one
   * @param maxTokens tokens to generate at most, ≥ 1
   * @param sampling how they are chosen; its index is that of the first
   * @param constraint what they are constrained by, if they are
   */
  Sequence(int[] prompt, int maxTokens, Sampling sampling, Optional<Constraint> constraint) {
    if (prompt.length == 0 || maxTokens < 1) {
      throw new IllegalArgumentException(
          prompt.length + " prompt tokens and max " + maxTokens + " new ones: both must be ≥ 1");
    }
    this.promptTokens = prompt.length;
    this.maxTokens = maxTokens;
    this.sampling = sampling;
    this.constraint = constraint;
    this.position = constraint.map(Constraint::start).orElse(ByteAutomaton.DEAD);
    this.tokens = prompt.clone();
    this.length = prompt.length;
  }

  int promptTokens() {
    return promptTokens;
  }

  int outputTokens() {
    return length - promptTokens;
  }

  int maxTokens() {
    return maxTokens;
  }

  /** Prompt tokens that were taken from the cache, not computed for this sequence. */
  int cachedTokens() {
    return cachedTokens;
  }

  /** Prompt and generated tokens together. */
  int length() {
    return length;
  }

  /** The generated token ids: a copy. */
  int[] output() {
    return Arrays.copyOfRange(tokens, promptTokens, length);
  }

  /** Whether log probabilities of its tokens are reported. */
  boolean reportsLogprobs() {
    return sampling.logprobs().isPresent();
  }

  /** The log probabilities of the generated tokens, where they are reported: a copy. */
  List<Logprobs> logprobs() {
    return List.copyOf(logprobs);
  }

  /** Ids of prompt and generated tokens, valid up to {@link #length}: no copy. */
  int[] tokens() {
    return tokens;
  }

  /** Ids at positions {@code from .. to - 1}: a copy. */
  int[] tokens(int from, int to) {
    return Arrays.copyOfRange(tokens, from, to);
  }

  BlockTable table() {
    return table;
  }

  /** Known tokens and those that submitted steps will have chosen. */
  int expectedLength() {
    return length + inFlight;
  }

  /** Tokens that are computed when all submitted steps are done, the unknown ones among them. */
  int scheduled() {
    return scheduled;
  }

  /** Tokens that must be computed before the next one can be chosen. */
  int remaining() {
    return expectedLength() - scheduled;
  }

  /** Whether its whole prompt is computed, so that what remains is generated tokens. */
  boolean isDecoding() {
    return expectedLength() > promptTokens && scheduled >= promptTokens;
  }

  /** Prompt tokens that are not computed yet. */
  int remainingPrompt() {
    return Math.max(0, promptTokens - scheduled);
  }

  /** Whether submitted steps choose the last token it may have. */
  boolean isEnding() {
    return expectedLength() - promptTokens >= maxTokens;
  }

  /** Whether it was dropped, so that what comes for it no longer matters. */
  boolean isDropped() {
    return dropped;
  }

  /**
   * Its part of the next step: the tokens from the first that is not computed.
   *
   * @param count how many of them; either all of the prompt or all generated
   */
  Segment segment(int count) {
    int end = scheduled + count;
    boolean known = scheduled < length;
    return new Segment(
        scheduled < promptTokens ? Segment.Role.PREFILL : Segment.Role.DECODE,
        known
            ? new Segment.Tokens.Known(tokens(scheduled, end))
            : new Segment.Tokens.Sampled(sampledRow),
        scheduled,
        table.blocks(table.blocksFor(end)),
        end == expectedLength()
            ? List.of(new Segment.Sample(count - 1, nextSampling(), constrained()))
            : List.of());
  }

  private Optional<Segment.Constrained> constrained() {
    return constraintTable.map(
        table ->
            new Segment.Constrained(
                table,
                inFlight == 0
                    ? new Segment.Position.Known(position)
                    : new Segment.Position.Sampled(sampledRow)));
  }

  /**
   * A planned segment of it, once the results of all submitted steps are in: with the tokens, and
   * the place in its answer, that it went on from without knowing them.
   */
  Segment known(Segment segment) {
    return new Segment(
        segment.role(),
        new Segment.Tokens.Known(tokens(segment.position(), segment.end())),
        segment.position(),
        segment.blocks(),
        segment.samples().stream()
            .map(sample -> new Segment.Sample(sample.offset(), sample.sampling(), constrained()))
            .toList());
  }

  private Sampling nextSampling() {
    return sampling.withIndex(sampling.index() + expectedLength() - promptTokens);
  }

  /**
   * Notes that its part of a step is submitted.
   *
   * @param firstSampledRow which of the step's sampled rows its samples begin at
   */
  void submitted(Segment segment, int firstSampledRow) {
    inFlight += segment.samples().size();
    sampledRow = firstSampledRow;
    scheduled = segment.end();
    table.advance(tokens, Math.min(scheduled, length));
  }

  /** Gets the table to keep its blocks in, empty. */
  void start(BlockTable emptyTable) {
    table = emptyTable;
  }

  /**
   * Takes up what the cache holds of its prompt already; never the last known token, which must be
   * computed to choose its successor. Tokens count as cached until the sequence is preempted: after
   * that it finds its own.
   */
  void adopt() {
    int adopted = table.adopt(tokens, length - 1);
    scheduled += adopted;
    if (!preempted) {
      cachedTokens += adopted;
    }
  }

  /** What it must get a table of before it runs; empty where it has one or needs none. */
  Optional<Constraint> missingTable() {
    return constraintTable.isPresent() ? Optional.empty() : constraint;
  }

  /** Gets the table of its constraint, which it owns until it gives its blocks back. */
  void constrainBy(ConstraintTable table) {
    constraintTable = Optional.of(table);
  }

  /** Whether its answer is whole, and nothing may follow. */
  boolean isAnswerOver() {
    return constraint.isPresent() && constraint.get().isOver(position);
  }

  /** Whether an answer may end with the tokens that it has. */
  boolean mayAnswerEnd() {
    return constraint.isPresent() && constraint.get().mayEnd(position);
  }

  /**
   * Whether a token may follow. One that may not is chosen only where none may that can be chosen:
   * the logits of all others are minus infinity then.
   */
  boolean admits(int token) {
    return constraint.isEmpty() || constraint.get().admits(position, token, sampling.ends(token));
  }

  /**
   * Takes in the token that the oldest of the submitted steps that choose one has chosen.
   *
   * @param reported its log probabilities, where they are reported
   */
  void append(int token, Optional<Logprobs> reported) {
    reported.ifPresent(logprobs::add);
    if (length == tokens.length) {
      tokens = Arrays.copyOf(tokens, length + Math.max(64, length / 8));
    }
    tokens[length++] = token;
    constraint.ifPresent(by -> position = by.advance(position, token));
    inFlight--;
    if (scheduled >= length) {
      table.advance(tokens, length);
    }
  }

  /** Gives its blocks back; its tokens must be computed again. */
  void preempt() {
    giveBack();
    preempted = true;
  }

  /** Forgets the tokens that lost steps would have chosen. */
  void forget() {
    inFlight = 0;
  }

  /** Gives its blocks back; what it counted as cached counts no more. */
  void postpone() {
    giveBack();
    if (!preempted) {
      cachedTokens = 0;
    }
  }

  /** Gives its blocks back for good. */
  void drop() {
    giveBack();
    dropped = true;
  }

  private void giveBack() {
    table.close();
    constraintTable.ifPresent(ConstraintTable::close);
    constraintTable = Optional.empty();
    scheduled = 0;
  }
}
