package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.TokenBytes;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which tokens lead on from a constraint's positions, each set computed once. Positions of a state
 * whose counts give the same answers on the way of every token share a set. Thread-safe.
 */
final class AllowedTokens implements ConstraintTable {
  /** 16 MiB with a vocabulary of 128,000 tokens; beyond it all are forgotten. */
  private static final int MOST_SETS = 1024;

  private static final ByteAutomaton.Action[] ACTIONS = ByteAutomaton.Action.values();

  private final Constraint constraint;
  private final int classes;
  private final byte[] classOf;
  private final int[] edges;
  private final int[] least;
  private final int[] most;
  private final Map<Integer, List<Range>> byState = new HashMap<>();
  private int sets;

  /** Counts, both ends included, from which the same tokens lead on. */
  private record Range(int first, int last, BitSet tokens) {
    boolean holds(int count) {
      return first <= count && count <= last;
    }
  }

  AllowedTokens(Constraint constraint) {
    ByteAutomaton automaton = constraint.automaton();
    this.constraint = constraint;
    this.classes = automaton.classes();
    this.classOf = automaton.classOf();
    this.edges = automaton.edges();
    this.least = automaton.least();
    this.most = automaton.most();
  }

  @Override
  public Constraint constraint() {
    return constraint;
  }

  /** Nothing: it is heap memory. */
  @Override
  public void close() {
    // The garbage collector takes it.
  }

  /** The tokens whose bytes lead on from a position of the automaton; not to be written to. */
  synchronized BitSet at(long position) {
    int state = ByteAutomaton.state(position);
    int count = ByteAutomaton.count(position);
    Optional<Range> known =
        byState.getOrDefault(state, List.of()).stream()
            .filter(range -> range.holds(count))
            .findFirst();
    if (known.isPresent()) {
      return known.get().tokens();
    }
    if (sets == MOST_SETS) {
      byState.clear();
      sets = 0;
    }
    Range computed = new Walk(state, count).range();
    byState.computeIfAbsent(state, any -> new ArrayList<>()).add(computed);
    sets++;
    return computed.tokens();
  }

  /** Walks all tokens from a position, and finds the counts that would change nothing. */
  private final class Walk {
    private final int firstState;
    private final int firstCount;
    private int lowest;
    private int highest = Integer.MAX_VALUE;

    Walk(int state, int count) {
      this.firstState = state;
      this.firstCount = count;
    }

    Range range() {
      TokenBytes vocabulary = constraint.vocabulary();
      BitSet tokens = new BitSet(vocabulary.vocabulary());
      for (int token = 0; token < vocabulary.vocabulary(); token++) {
        if (vocabulary.length(token) > 0 && leadsOn(vocabulary, token)) {
          tokens.set(token);
        }
      }
      return new Range(lowest, highest, tokens);
    }

    private boolean leadsOn(TokenBytes vocabulary, int token) {
      int state = firstState;
      int added = 0;
      boolean counting = true; // since the start, so that the first count matters
      for (int i = 0; i < vocabulary.length(token); i++) {
        int edge = edges[state * classes + (classOf[vocabulary.at(token, i) & 0xFF] & 0xFF)];
        if (edge == ByteAutomaton.NO_EDGE) {
          return false;
        }
        int target = edge & ((1 << ByteAutomaton.ACTION_SHIFT) - 1);
        switch (ACTIONS[edge >>> ByteAutomaton.ACTION_SHIFT]) {
          case KEEP -> {
            // The count stays.
          }
          case COUNT -> {
            if (isAtLeast(most[target], added, counting)) {
              return false;
            }
            added++;
          }
          case LEAVE -> {
            if (!isAtLeast(least[state], added, counting)) {
              return false;
            }
            added = 0;
            counting = false;
          }
        }
        state = target;
      }
      return constraint.automaton().mayRest(ByteAutomaton.position(state, 0));
    }

    /** Whether the count reaches a limit; the first counts that say the same are narrowed to. */
    private boolean isAtLeast(int limit, int added, boolean counting) {
      if (!counting) {
        return added >= limit;
      }
      boolean reached = firstCount + added >= limit;
      if (reached) {
        lowest = Math.max(lowest, limit - added);
      } else {
        highest = Math.min(highest, limit - added - 1);
      }
      return reached;
    }
  }
}
