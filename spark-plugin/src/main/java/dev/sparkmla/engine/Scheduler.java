package dev.sparkmla.engine;

import dev.sparkmla.kvcache.BlockPool;
import dev.sparkmla.kvcache.BlockTable;
import dev.sparkmla.kvcache.PrefixIndex;
import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.StepBatch;
import dev.sparkmla.model.StepRow;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Decides, step by step, which sequences compute which of their tokens, and in which blocks.
 *
 * <p>Sequences wait in order of arrival, and are served in that order:
 *
 * <ol>
 *   <li>Every decoding sequence gets its one token of the budget.
 *   <li>What is left of the budget goes to prompts, the first arrived first, in chunks.
 *   <li>When budget is left, waiting sequences are admitted while blocks for their whole prompts
 *       are available, with one to spare for every running sequence. The first that does not fit
 *       holds back those behind it.
 * </ol>
 *
 * <p>A sequence that gets no block takes those of the youngest running one, if that is younger than
 * itself: the younger is preempted, waits again at the head, and later computes its tokens anew, as
 * far as they are no longer cached. Otherwise it sits the step out. So the oldest running sequence
 * is never preempted and advances in every step. Hence every sequence finishes.
 *
 * <p>A shared prefix is computed once: a sequence takes up the blocks the cache has, at every step
 * of its prompt, and sits a step out in which an older one computes its very next block.
 *
 * <p>Not thread-safe.
 */
final class Scheduler {
  private final int maxBatchedTokens;
  private final int maxRunning;
  private final PrefixIndex index = new PrefixIndex();
  private final BlockPool pool;

  private final Deque<Sequence> waiting = new ArrayDeque<>();

  /** In order of arrival. */
  private final List<Sequence> running = new ArrayList<>();

  /** What the last planned step computes; empty when its results are in. */
  private final List<Part> planned = new ArrayList<>();

  private long preemptions;

  /** A sequence's part of a step: its tokens up to {@code computed} will be computed after it. */
  private record Part(Sequence sequence, int computed) {}

  /** The block a prompt computes next: {@code tokens} after {@code predecessor}. */
  private record NextBlock(int predecessor, List<Integer> tokens) {}

  /**
   * @param maxBatchedTokens tokens of a step at most
   * @param maxSequences running sequences at most; no more than {@code maxBatchedTokens} count
   * @param cacheBlocks blocks to hand out
   */
  Scheduler(int maxBatchedTokens, int maxSequences, int cacheBlocks) {
    this.maxBatchedTokens = maxBatchedTokens;
    this.maxRunning = Math.min(maxSequences, maxBatchedTokens);
    this.pool = new BlockPool(cacheBlocks, index);
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
    if (tokens > (long) pool.size() * BlockPool.BLOCK_TOKENS) {
      throw new IllegalArgumentException(
          tokens + " tokens do not fit into " + pool.size() + " blocks");
    }
    sequence.start(new BlockTable(pool, index));
    waiting.addLast(sequence);
  }

  /** Drops every sequence that {@code condition} holds for, and gives its blocks back. */
  void removeIf(Predicate<Sequence> condition) {
    waiting.removeIf(condition);
    running.removeIf(
        sequence -> {
          boolean removed = condition.test(sequence);
          if (removed) {
            sequence.table().close();
          }
          return removed;
        });
  }

  /** Drops all sequences, also when a planned step will have no results. */
  void clear() {
    removeIf(sequence -> true);
    planned.clear();
  }

  /** Plans the next step. Its results must come back through {@link #complete} before the next. */
  Optional<StepBatch> plan() {
    if (!planned.isEmpty()) {
      throw new IllegalStateException("the results of the step before are not in");
    }
    new Planner().plan();
    if (planned.isEmpty()) {
      if (!isIdle()) {
        throw new IllegalStateException(
            "no step for " + running.size() + " running and " + waiting.size() + " waiting");
      }
      return Optional.empty();
    }
    List<StepRow> rows = new ArrayList<>(planned.size());
    for (Part part : planned) {
      Sequence sequence = part.sequence();
      int from = sequence.table().computedTokens();
      rows.add(
          new StepRow(
              sequence.tokens(from, part.computed()),
              from,
              Arrays.copyOf(sequence.table().blocks(), BlockPool.blocksFor(part.computed())),
              part.computed() == sequence.length()
                  ? Optional.of(sequence.nextSampling())
                  : Optional.empty(),
              OptionalInt.empty()));
    }
    return Optional.of(new StepBatch(rows));
  }

  /**
   * Takes in the results of the planned step.
   *
   * @param tokens one for each row of the step
   * @return the sequences that got a token, in order of arrival
   */
  List<Sequence> complete(int[] tokens) {
    if (tokens.length != planned.size()) {
      throw new IllegalArgumentException(
          tokens.length + " results for a step of " + planned.size() + " rows");
    }
    List<Sequence> grown = new ArrayList<>();
    for (int row = 0; row < tokens.length; row++) {
      Part part = planned.get(row);
      Sequence sequence = part.sequence();
      boolean wanted = part.computed() == sequence.length();
      if (wanted == (tokens[row] == LanguageModel.NO_TOKEN)) {
        throw new IllegalArgumentException(
            "token " + tokens[row] + " for a row that wanted " + (wanted ? "one" : "none"));
      }
      sequence.table().advance(sequence.tokens(), part.computed());
      if (wanted) {
        sequence.append(tokens[row]);
        grown.add(sequence);
      }
    }
    planned.clear();
    return grown;
  }

  /** Plans one step. */
  private final class Planner {
    private final Set<NextBlock> beingComputed = new HashSet<>();
    private int budget = maxBatchedTokens;

    /** Decoding sequences that come later in this plan: their tokens of the budget are theirs. */
    private int reserved = (int) running.stream().filter(Sequence::isDecoding).count();

    private boolean preempting;

    void plan() {
      // Preemption takes sequences off the end of the list while this walks over it.
      for (int i = 0; i < running.size(); i++) {
        Sequence sequence = running.get(i);
        if (sequence.isDecoding()) {
          reserved--;
          schedule(sequence, 1);
        } else {
          prefill(sequence);
        }
      }
      while (!preempting && budget > 0 && running.size() < maxRunning && admit()) {
        prefill(running.get(running.size() - 1));
      }
    }

    private void prefill(Sequence sequence) {
      sequence.adopt();
      if (nextBlock(sequence, sequence.length() - 1).filter(beingComputed::contains).isPresent()) {
        return;
      }
      Optional<NextBlock> next = nextBlock(sequence, sequence.length());
      if (schedule(sequence, Math.min(budget - reserved, sequence.remaining())) > 0) {
        next.ifPresent(beingComputed::add);
      }
    }

    /**
     * Plans up to {@code wanted} tokens of a running sequence, as far as it gets blocks for them.
     *
     * @return how many were planned
     */
    private int schedule(Sequence sequence, int wanted) {
      if (wanted == 0) {
        return 0;
      }
      BlockTable table = sequence.table();
      int computed = table.computedTokens();
      long room;
      while ((room = (long) (table.size() + pool.available()) * BlockPool.BLOCK_TOKENS - computed)
          <= 0) {
        Sequence youngest = running.get(running.size() - 1);
        if (youngest == sequence) {
          return 0;
        }
        preempt(youngest);
      }
      int tokens = (int) Math.min(wanted, room);
      table.reserve(computed + tokens);
      planned.add(new Part(sequence, computed + tokens));
      budget -= tokens;
      return tokens;
    }

    private void preempt(Sequence youngest) {
      if (youngest.isDecoding()) {
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
      if (promised > pool.available()) {
        first.postpone();
        return false;
      }
      running.add(waiting.removeFirst());
      return true;
    }

    /** Blocks that a sequence still needs to compute its tokens. */
    private int missingBlocks(Sequence sequence) {
      return BlockPool.blocksFor(sequence.length()) - sequence.table().size();
    }

    /** The block a sequence computes next, if the first {@code limit} of its tokens fill it. */
    private Optional<NextBlock> nextBlock(Sequence sequence, int limit) {
      BlockTable table = sequence.table();
      int from = table.computedTokens() / BlockPool.BLOCK_TOKENS * BlockPool.BLOCK_TOKENS;
      int to = from + BlockPool.BLOCK_TOKENS;
      return to > limit
          ? Optional.empty()
          : Optional.of(
              new NextBlock(
                  table.lastFullBlock(),
                  Arrays.stream(sequence.tokens(), from, to).boxed().toList()));
    }
  }
}
