package dev.sparkmla.engine;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.BlockPool;
import dev.sparkmla.kvcache.BlockTable;
import dev.sparkmla.kvcache.PrefixIndex;
import dev.sparkmla.policy.Constraint;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Decides, step by step, which sequences compute which of their tokens, and in which blocks.
 *
 * <p>Sequences wait in order of arrival, and are served in that order:
 *
 * <ol>
 *   <li>Every decoding sequence gets one token of the budget.
 *   <li>What is left of the budget goes to prompts, the first arrived first, in chunks.
 *   <li>When budget is left, waiting sequences are admitted while blocks for their whole prompts
 *       are available, with one to spare for every running sequence, and there is room for what
 *       they are constrained by. The first that does not fit holds back those behind it.
 * </ol>
 *
 * <p>A sequence that gets no block takes those of the youngest running one, if that is younger than
 * itself: the younger is preempted, waits again at the head, and later computes its tokens anew,
 * the prompt as far as it is no longer cached. Otherwise it sits the step out. So the oldest
 * running sequence is never preempted and advances in every step. Hence every sequence finishes.
 *
 * <p>Tokens of a prompt are always computed in expanded form and generated tokens always in
 * absorbed form, also when they are computed anew: so a sequence's numbers are the same, bit for
 * bit, whatever it is batched with and whether or not it is preempted. Several generated tokens of
 * a sequence may be computed anew in one step; a step has no more rows that decode than sequences
 * may run.
 *
 * <p>A shared prefix is computed once: a sequence takes up the blocks the cache has, at every step
 * of its prompt, and sits a step out in which an older one computes its very next block.
 *
 * <p>A step may be planned while the one before it is still computed. A sequence whose token of
 * that step is not known yet goes on with it all the same, unless it was its last; should it turn
 * out to have ended there, its row of the step ahead is dropped. Since steps are computed in the
 * order they are planned in, a block may be given back, and be planned for another sequence, while
 * a step that uses it is not done.
 *
 * <p>Not thread-safe.
 */
final class Scheduler {
  private final int maxBatchedTokens;
  private final int maxRunning;
  private final int cacheBlocks;
  private final int page;
  private final Function<Constraint, Optional<ConstraintTable>> constraintTables;
  private PrefixIndex index;
  private BlockPool pool;

  private final Deque<Sequence> waiting = new ArrayDeque<>();

  /** In order of arrival. */
  private final List<Sequence> running = new ArrayList<>();

  /** The submitted steps whose results are not in, in their order. */
  private final Deque<PlannedStep> pending = new ArrayDeque<>();

  private long preemptions;

  /**
   * What a step's results did.
   *
   * @param grown the sequences that got a token, in the order of the step
   * @param failed the sequences whose logits were not numbers
   * @param stuck the sequences that could get no token that their constraint admits
   */
  record Completed(List<Sequence> grown, List<Sequence> failed, List<Sequence> stuck) {}

  /** The block a prompt computes next: {@code tokens} after {@code predecessor}. */
  private record NextBlock(int predecessor, List<Integer> tokens) {}

  /**
   * @param maxBatchedTokens tokens of a step at most
   * @param maxSequences running sequences at most; no more than {@code maxBatchedTokens} count
   * @param cacheBlocks blocks to hand out
   * @param page tokens in a block
   * @param constraintTables makes a constraint's table, where there is room for it
   */
  Scheduler(
      int maxBatchedTokens,
      int maxSequences,
      int cacheBlocks,
      int page,
      Function<Constraint, Optional<ConstraintTable>> constraintTables) {
    this.maxBatchedTokens = maxBatchedTokens;
    this.maxRunning = Math.min(maxSequences, maxBatchedTokens);
    this.cacheBlocks = cacheBlocks;
    this.page = page;
    this.constraintTables = constraintTables;
    emptyCache();
  }

  private void emptyCache() {
    index = new PrefixIndex(page);
    pool = new BlockPool(cacheBlocks, index);
  }

  BlockPool pool() {
    return pool;
  }

  int waiting() {
    return waiting.size();
  }

  int running() {
    return running.size();
  }

  /** How often a sequence lost its blocks to an older one. */
  long preemptions() {
    return preemptions;
  }

  boolean isIdle() {
    return waiting.isEmpty() && running.isEmpty();
  }

  /**
   * Puts a new sequence behind those waiting.
   *
   * @throws IllegalArgumentException if it can never fit into the cache
   */
  void add(Sequence sequence) {
    long tokens = (long) sequence.promptTokens() + sequence.maxTokens();
    if (tokens > (long) pool.size() * page) {
      throw new IllegalArgumentException(
          tokens + " tokens do not fit into " + pool.size() + " blocks");
    }
    sequence.start(newTable(sequence));
    waiting.addLast(sequence);
  }

  /** Drops every sequence that {@code condition} holds for, and gives its blocks back. */
  void removeIf(Predicate<Sequence> condition) {
    Predicate<Sequence> dropping =
        sequence -> {
          boolean removed = condition.test(sequence);
          if (removed) {
            sequence.drop();
          }
          return removed;
        };
    waiting.removeIf(dropping);
    running.removeIf(dropping);
  }

  /** Drops all sequences, also when planned steps will have no results. */
  void clear() {
    removeIf(sequence -> true);
    pending.clear();
  }

  /**
   * Goes on with an empty cache after the results of submitted steps were lost: every running
   * sequence waits again, in its order, and computes its tokens anew. What the lost steps chose is
   * chosen again.
   */
  void restart() {
    pending.clear();
    for (int i = running.size() - 1; i >= 0; i--) {
      running.get(i).preempt();
      waiting.addFirst(running.get(i));
    }
    running.clear();
    waiting.forEach(Sequence::forget);
    emptyCache();
    waiting.forEach(sequence -> sequence.start(newTable(sequence)));
  }

  private BlockTable newTable(Sequence sequence) {
    return new BlockTable(pool, index, sequence.promptTokens());
  }

  /**
   * Plans the next step, to be computed after those submitted before. Until {@link #submitted} is
   * told of it, it may be thrown away, and another planned.
   *
   * @return empty when nothing can be computed before results are in, or nothing is left to do
   */
  Optional<PlannedStep> plan() {
    if (pending.size() == 2) {
      throw new IllegalStateException("the results of two steps are not in");
    }
    Planner planner = new Planner();
    planner.plan();
    if (planner.isEmpty()) {
      if (!isIdle() && pending.isEmpty()) {
        throw new IllegalStateException(
            "no step for " + running.size() + " running and " + waiting.size() + " waiting");
      }
      return Optional.empty();
    }
    return Optional.of(planner.step());
  }

  /**
   * Notes that a planned step is submitted: its tokens count as computed, and its full blocks of
   * prompt tokens may be shared. Its results must come back through {@link #complete}; two steps
   * may be without theirs.
   */
  void submitted(PlannedStep step) {
    int sampledRow = 0;
    for (int i = 0; i < step.segments().size(); i++) {
      Segment segment = step.segments().get(i);
      step.sequences().get(i).submitted(segment, sampledRow);
      sampledRow += segment.samples().size();
    }
    pending.addLast(step);
  }

  /**
   * Takes in the results of the first of the submitted steps whose results are not in.
   *
   * @param tokens what it chose
   */
  Completed complete(SampledTokens tokens) {
    PlannedStep step = pending.peekFirst();
    int rows =
        step == null
            ? 0
            : step.segments().stream().mapToInt(segment -> segment.samples().size()).sum();
    if (tokens.rows() != rows) {
      throw new IllegalArgumentException(
          tokens.rows() + " tokens for a step of " + rows + " sampled rows");
    }
    pending.removeFirst();
    Completed completed = new Completed(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    int row = 0;
    for (int i = 0; row < rows; i++) {
      Sequence sequence = step.sequences().get(i);
      for (int sample = 0; sample < step.segments().get(i).samples().size(); sample++) {
        OptionalInt token = tokens.token(row);
        Optional<Logprobs> logprobs = tokens.logprobs(row);
        row++;
        if (sequence.isDropped()) {
          continue;
        }
        if (token.isEmpty()) {
          completed.failed().add(sequence);
        } else if (sequence.admits(token.getAsInt())) {
          sequence.append(token.getAsInt(), logprobs);
          completed.grown().add(sequence);
        } else {
          completed.stuck().add(sequence);
        }
      }
    }
    return completed;
  }

  /** Whether one token of the next step's budget is kept for a sequence. */
  private static boolean decodes(Sequence sequence) {
    return sequence.isDecoding() && !sequence.isEnding();
  }

  /** Plans one step. */
  private final class Planner {
    private final List<Segment> decoding = new ArrayList<>(running.size() + 1);
    private final List<Sequence> decodingSequences = new ArrayList<>(running.size() + 1);
    private final List<Segment> prefilling = new ArrayList<>();
    private final List<Sequence> prefillingSequences = new ArrayList<>();
    private final Set<NextBlock> beingComputed = new HashSet<>();
    private int budget = maxBatchedTokens;
    private int decodeRows = maxRunning;

    /** Decoding sequences that come later in this plan: one token of the budget each is theirs. */
    private int reserved = (int) running.stream().filter(Scheduler::decodes).count();

    private boolean preempting;

    void plan() {
      // Preemption takes sequences off the end of the list while this walks over it.
      for (int i = 0; i < running.size(); i++) {
        Sequence sequence = running.get(i);
        if (sequence.isEnding()) {
          continue;
        }
        if (sequence.isDecoding()) {
          reserved--;
          decode(sequence);
        } else {
          prefill(sequence);
        }
      }
      while (!preempting && budget > 0 && running.size() < maxRunning && admit()) {
        prefill(running.get(running.size() - 1));
      }
    }

    boolean isEmpty() {
      return decoding.isEmpty() && prefilling.isEmpty();
    }

    PlannedStep step() {
      decoding.addAll(prefilling);
      decodingSequences.addAll(prefillingSequences);
      return new PlannedStep(decoding, decodingSequences);
    }

    /** Plans the last generated token, or several where they are computed anew. */
    private void decode(Sequence sequence) {
      int most = Math.min(budget, decodeRows) - reserved;
      decodeRows -= schedule(sequence, Math.min(most, sequence.remaining()));
    }

    private void prefill(Sequence sequence) {
      sequence.adopt();
      if (sequence.isDecoding()) {
        decode(sequence); // It was preempted, and the cache still has its prompt.
        return;
      }
      int adoptable = Math.min(sequence.length() - 1, sequence.promptTokens());
      if (nextBlock(sequence, adoptable).filter(beingComputed::contains).isPresent()) {
        return;
      }
      Optional<NextBlock> next = nextBlock(sequence, sequence.promptTokens());
      if (schedule(sequence, Math.min(budget - reserved, sequence.remainingPrompt())) > 0) {
        next.ifPresent(beingComputed::add);
      }
    }

    /**
     * Plans up to {@code wanted} tokens of a running sequence, as far as it gets blocks for them.
     *
     * @return how many were planned
     */
    private int schedule(Sequence sequence, int wanted) {
      if (wanted <= 0) {
        return 0;
      }
      BlockTable table = sequence.table();
      int computed = sequence.scheduled();
      long room;
      while ((room = (long) (table.size() + pool.available()) * page - computed) <= 0) {
        Sequence youngest = running.get(running.size() - 1);
        if (youngest == sequence) {
          return 0;
        }
        preempt(youngest);
      }
      int tokens = (int) Math.min(wanted, room);
      table.reserve(computed + tokens);
      Segment segment = sequence.segment(tokens);
      boolean decodes = segment.role() == Segment.Role.DECODE;
      (decodes ? decoding : prefilling).add(segment);
      (decodes ? decodingSequences : prefillingSequences).add(sequence);
      budget -= tokens;
      return tokens;
    }

    private void preempt(Sequence youngest) {
      if (decodes(youngest)) {
        reserved--;
      }
      running.remove(running.size() - 1);
      youngest.preempt();
      waiting.addFirst(youngest);
      preemptions++;
      preempting = true;
    }

    /** Lets the first waiting sequence run, if there is one and the cache has room for it. */
    private boolean admit() {
      Sequence first = waiting.peekFirst();
      if (first == null) {
        return false;
      }
      first.adopt();
      int promised = missingBlocks(first) + running.size();
      for (Sequence sequence : running) {
        promised += missingBlocks(sequence);
      }
      if (promised > pool.available() || !constrain(first)) {
        first.postpone();
        return false;
      }
      running.add(waiting.removeFirst());
      return true;
    }

    /** Gets a sequence the table that it needs; false where there is no room for it. */
    private boolean constrain(Sequence sequence) {
      Optional<Constraint> missing = sequence.missingTable();
      Optional<ConstraintTable> table = missing.flatMap(constraintTables);
      table.ifPresent(sequence::constrainBy);
      return missing.isEmpty() || table.isPresent();
    }

    /** Blocks that a sequence still needs to compute its tokens. */
    private int missingBlocks(Sequence sequence) {
      return pool.blocksFor(sequence.expectedLength()) - sequence.table().size();
    }

    /** The block a sequence computes next, if the first {@code limit} of its tokens fill it. */
    private Optional<NextBlock> nextBlock(Sequence sequence, int limit) {
      BlockTable table = sequence.table();
      int from = table.computedTokens() / page * page;
      int to = from + page;
      return to > limit
          ? Optional.empty()
          : Optional.of(
              new NextBlock(
                  table.lastSharedBlock(),
                  Arrays.stream(sequence.tokens(), from, to).boxed().toList()));
    }
  }
}
