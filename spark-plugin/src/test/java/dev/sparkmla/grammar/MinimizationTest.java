package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.apache.lucene.util.automaton.Automata;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.MinimizationOperations;
import org.apache.lucene.util.automaton.Operations;
import org.junit.jupiter.api.Test;

class MinimizationTest {
  @Test
  void findsAutomataAsSmallAsLucenes() {
    int smaller = 0;
    for (long seed = 0; seed < 1_000; seed++) {
      Automaton deterministic = random(new Random(seed));
      Automaton minimal = Minimization.minimal(deterministic, new Budget());
      Automaton lucenes =
          Operations.removeDeadStates(MinimizationOperations.minimize(deterministic, 100_000));

      assertThat(minimal.getNumStates()).as("seed " + seed).isEqualTo(lucenes.getNumStates());
      assertThat(minimal.getNumTransitions())
          .as("seed " + seed)
          .isEqualTo(lucenes.getNumTransitions());
      smaller += minimal.getNumStates() < deterministic.getNumStates() ? 1 : 0;
      assertSameTexts(minimal, deterministic, new Random(seed));
    }
    assertThat(smaller).isGreaterThan(300);
  }

  private static void assertSameTexts(Automaton one, Automaton other, Random random) {
    for (int i = 0; i < 50; i++) {
      int[] labels = random.ints(random.nextInt(8), 0, 4).toArray();
      assertThat(accepts(one, labels)).isEqualTo(accepts(other, labels));
    }
  }

  private static boolean accepts(Automaton automaton, int... labels) {
    int state = 0;
    for (int label : labels) {
      state = state < 0 ? state : automaton.step(state, label);
    }
    return state >= 0 && automaton.isAccept(state);
  }

  @Test
  void keepsTheAutomatonOfNoText() {
    assertThat(Minimization.minimal(Automata.makeEmpty(), new Budget()).getNumStates()).isZero();
  }

  /** Deterministic, without dead states, and with some that are equal. */
  private static Automaton random(Random random) {
    Automaton.Builder builder = new Automaton.Builder();
    long[] seeds = new long[1 + random.nextInt(12)];
    for (int state = 0; state < seeds.length; state++) {
      boolean isCopy = state > 0 && random.nextInt(3) == 0;
      seeds[state] = isCopy ? seeds[random.nextInt(state)] : random.nextLong();
      builder.createState();
    }
    for (int state = 0; state < seeds.length; state++) {
      Random own = new Random(seeds[state]);
      builder.setAccept(state, own.nextInt(3) == 0);
      for (int label = 0; label < 4; label += 1 + own.nextInt(2)) {
        int largest = own.nextInt(3) == 0 ? 3 : label;
        builder.addTransition(state, own.nextInt(seeds.length), label, largest);
        label = largest;
      }
    }
    Automaton live = Operations.removeDeadStates(builder.finish());
    return live.getNumStates() == 0 ? Automata.makeChar(1) : live;
  }
}
