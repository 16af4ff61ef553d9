package dev.sparkmla.grammar;

import java.util.Arrays;
import java.util.BitSet;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;

/**
 * Finds the smallest automaton: states are told apart by whether they accept, and transitions by
 * their labels and the blocks of states that they lead to, until neither tells any more apart.
 * Takes m log m for m transitions (Antti Valmari, Fast brief practical DFA minimization,
 * Information Processing Letters 112, 2012), where Lucene's takes time and memory for all states
 * times all labels. For one thread.
 */
final class Minimization {
  private final Automaton automaton;
  private final Partition blocks;

  /** [label's range, source, target], sorted by the range. */
  private final Rows transitions = new Rows(3);

  private Minimization(Automaton automaton) {
    this.automaton = automaton;
    this.blocks = new Partition(automaton.getNumStates());
  }

  /**
   * The smallest automaton of the same language.
   *
   * @param automaton deterministic, without dead states
   */
  static Automaton minimal(Automaton automaton, Budget budget) {
    return automaton.getNumStates() == 0 ? automaton : new Minimization(automaton).minimal(budget);
  }

  private Automaton minimal(Budget budget) {
    readTransitions(budget);
    for (int state = 0; state < automaton.getNumStates(); state++) {
      if (automaton.isAccept(state)) {
        blocks.mark(state);
      }
    }
    blocks.split();
    refine();
    return joined();
  }

  /** Cuts the transitions' labels at all places where a label of any state begins or ends. */
  private void readTransitions(Budget budget) {
    int[] points = automaton.getStartPoints();
    Transition transition = new Transition();
    Rows byState = new Rows(3);
    for (int state = 0; state < automaton.getNumStates(); state++) {
      int count = automaton.initTransition(state, transition);
      for (int i = 0; i < count; i++) {
        automaton.getNextTransition(transition);
        int range = Arrays.binarySearch(points, transition.min);
        while (range < points.length && points[range] <= transition.max) {
          budget.spend(1);
          byState.add(range++, state, transition.dest);
        }
      }
    }
    Rows.Sorted sorted = byState.sorted(points.length);
    for (int range = 0; range < points.length; range++) {
      for (int i = 0; i < sorted.count(range); i++) {
        int row = sorted.row(range, i);
        transitions.add(range, byState.get(row, 1), byState.get(row, 2));
      }
    }
  }

  private void refine() {
    Partition cords = new Partition(transitions.size());
    BitSet labels = new BitSet();
    for (int row = 1; row < transitions.size(); row++) {
      labels.set(row, transitions.get(row, 0) != transitions.get(row - 1, 0));
    }
    cords.cut(labels);
    Rows incoming = new Rows(2);
    for (int row = 0; row < transitions.size(); row++) {
      incoming.add(transitions.get(row, 2), row);
    }
    Rows.Sorted byTarget = incoming.sorted(automaton.getNumStates());
    int block = 1;
    for (int cord = 0; cord < cords.size(); cord++) {
      for (int i = cords.begin(cord); i < cords.end(cord); i++) {
        blocks.mark(transitions.get(cords.element(i), 1));
      }
      blocks.split();
      for (; block < blocks.size(); block++) {
        for (int i = blocks.begin(block); i < blocks.end(block); i++) {
          int state = blocks.element(i);
          for (int j = 0; j < byTarget.count(state); j++) {
            cords.mark(byTarget.row(state, j));
          }
        }
        cords.split();
      }
    }
  }

  /** The blocks as states, of which that with the first state is the first. */
  private Automaton joined() {
    int first = blocks.setOf(0);
    Automaton.Builder builder = new Automaton.Builder();
    for (int block = 0; block < blocks.size(); block++) {
      builder.createState();
    }
    Transition transition = new Transition();
    for (int block = 0; block < blocks.size(); block++) {
      int state = blocks.element(blocks.begin(block));
      int source = swapped(block, first);
      builder.setAccept(source, automaton.isAccept(state));
      int count = automaton.initTransition(state, transition);
      for (int i = 0; i < count; i++) {
        automaton.getNextTransition(transition);
        int target = swapped(blocks.setOf(transition.dest), first);
        builder.addTransition(source, target, transition.min, transition.max);
      }
    }
    return builder.finish();
  }

  private static int swapped(int block, int first) {
    if (block == first) {
      return 0;
    }
    return block == 0 ? first : block;
  }
}
