package dev.sparkmla.engine;

import dev.sparkmla.kvcache.BlockPool;
import dev.sparkmla.kvcache.BlockTable;
import dev.sparkmla.kvcache.CacheShape;
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
 * <p>A step may be planned while the one before it is still computed. A sequence whose token of
 * that step is not known yet goes on with it all the same, unless it was its last; should it turn
 * out to have ended there, its row of the step ahead is dropped. Since steps are computed in the
 * order they are planned in, a block may be given back, and be planned for another sequence, while
 * a step that uses it is not done.
 *
 * <p>Not thread-safe.
 */
final class Scheduler {
  /** Stands for the token of a row that goes on with what the step before has chosen. */
  private static final int[] UNKNOWN = {0};

  private final int maxBatchedTokens;
  private final int maxRunning;
  private final PrefixIndex index = new PrefixIndex(CacheShape.PAGE);
  private final BlockPool pool;

  private final Deque<Sequence> waiting = new ArrayDeque<>();

  /** In order of arrival. */
  private final List<Sequence> running = new ArrayList<>();

  /** What the steps compute whose results are not in, in the order they were planned. */
  private final Deque<List<Part>> pending = new ArrayDeque<>();

  private long preemptions;

  /**
   * A sequence's part of a step.
   *
   * @param computed its tokens up to here are computed after it
   * @param wanted whether a token is chosen after them
   */
  private record Part(Sequence sequence, int computed, boolean wanted) {}

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
    if (tokens > (long) pool.size() * pool.page()) {
      throw new IllegalArgumentException(
          tokens + " tokens do not fit into " + pool.size() + " blocks");
    }
    sequence.start(new BlockTable(pool, index, sequence.promptTokens()));
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
   * Plans the next step, to be computed after those planned before. Its results must come back
   * through {@link #complete}; two steps may be without theirs.
   *
   * @return empty when nothing can be computed before results are in, or nothing is left to do
   */
  Optional<StepBatch> plan() {
    if (pending.size() == 2) {
      throw new IllegalStateException("the results of two steps are not in");
    }
    Planner planner = new Planner();
    planner.plan();
    List<Part> planned = planner.planned;
    if (planned.isEmpty()) {
      if (!isIdle() && pending.isEmpty()) {
        throw new IllegalStateException(
            "no step for " + running.size() + " running and " + waiting.size() + " waiting");
      }
      return Optional.empty();
    }
    List<StepRow> rows = new ArrayList<>(planned.size());
    for (Part part : planned) {
      rows.add(row(part));
    }
    // After all rows are made: a sequence may now count on blocks that this step computes.
    for (int i = 0; i < planned.size(); i++) {
      planned.get(i).sequence().submitted(i, planned.get(i).computed());
    }
    pending.addLast(planned);
    return Optional.of(new StepBatch(rows));
  }

  private StepRow row(Part part) {
    Sequence sequence = part.sequence();
    int from = sequence.scheduled();
    boolean known = from < sequence.length();
    return new StepRow(
        known ? sequence.tokens(from, part.computed()) : UNKNOWN,
        from,
        sequence.table().blocks(pool.blocksFor(part.computed())),
        part.wanted() ? Optional.of(sequence.nextSampling()) : Optional.empty(),
        known ? OptionalInt.empty() : OptionalInt.of(sequence.row()));
  }

  /**
   * Takes in the results of the first of the steps whose results are not in.
   *
   * @param tokens one for each row of the step
   * @return the sequences that got a token, in order of arrival
   */
  List<Sequence> complete(int[] tokens) {
    List<Part> planned = pending.peekFirst();
    int rows = planned == null ? 0 : planned.size();
    if (tokens.length != rows) {
      throw new IllegalArgumentException(
          tokens.length + " results for a step of " + rows + " rows");
    }
    List<Sequence> grown = new ArrayList<>(rows);
    for (int row = 0; row < rows; row++) {
      Part part = planned.get(row);
      if (part.wanted() == (tokens[row] == LanguageModel.NO_TOKEN)) {
        throw new IllegalArgumentException(
            "token " + tokens[row] + " for a row that wanted " + (part.wanted() ? "one" : "none"));
      }
      if (part.wanted() && !part.sequence().isDropped()) {
        part.sequence().append(tokens[row]);
        grown.add(part.sequence());
      }
    }
    pending.removeFirst();
    return grown;
  }

  /** Whether a sequence gets one token of the next step's budget. */
  private static boolean decodes(Sequence sequence) {
    return sequence.isDecoding() && !sequence.isEnding();
  }

  /** Plans one step. */
  private final class Planner {
    private final List<Part> planned = new ArrayList<>(running.size() + 1);
    private final Set<NextBlock> beingComputed = new HashSet<>();
    private int budget = maxBatchedTokens;

    /** Decoding sequences that come later in this plan: their tokens of the budget are theirs. */
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
      int computed = sequence.scheduled();
      long room;
      while ((room = (long) (table.size() + pool.available()) * pool.page() - computed) <= 0) {
        Sequence youngest = running.get(running.size() - 1);
        if (youngest == sequence) {
          return 0;
        }
        preempt(youngest);
      }
      int tokens = (int) Math.min(wanted, room);
      table.reserve(computed + tokens);
      planned.add(
          new Part(sequence, computed + tokens, computed + tokens == sequence.expectedLength()));
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
      if (promised > pool.available()) {
        first.postpone();
        return false;
      }
      running.add(waiting.removeFirst());
      return true;
    }

    /** Blocks that a sequence still needs to compute its tokens. */
    private int missingBlocks(Sequence sequence) {
      return pool.blocksFor(sequence.expectedLength()) - sequence.table().size();
    }

    /** The block a sequence computes next, if the first {@code limit} of its tokens fill it. */
    private Optional<NextBlock> nextBlock(Sequence sequence, int limit) {
      BlockTable table = sequence.table();
      int from = table.computedTokens() / pool.page() * pool.page();
      int to = from + pool.page();
      return to > limit
          ? Optional.empty()
          : Optional.of(
              new NextBlock(
                  table.lastSharedBlock(),
                  Arrays.stream(sequence.tokens(), from, to).boxed().toList()));
    }
  }
}
