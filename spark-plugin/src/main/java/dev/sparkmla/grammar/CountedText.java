package dev.sparkmla.grammar;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import org.apache.lucene.util.automaton.Automaton;
import org.apache.lucene.util.automaton.Transition;

/** Texts of a bounded number of characters, spelled out as states. For one thread. */
final class CountedText {
  /** A state of the text's automaton, after so many characters. */
  private record Place(int state, int count) {}

  private final Automaton text;
  private final int least;
  private final int most;
  private final Budget budget;
  private final Map<Place, Integer> states = new HashMap<>();
  private final Queue<Place> pending = new ArrayDeque<>();
  private final Automaton.Builder bounded = new Automaton.Builder();

  private CountedText(Automaton text, int least, int most, Budget budget) {
    this.text = text;
    this.least = least;
    this.most = most;
    this.budget = budget;
  }

  /**
   * The texts of so many characters, over bytes.
   *
   * @param text deterministic, over bytes and counted bytes
   */
  static Automaton bounded(Automaton text, int least, int most, Budget budget) {
    return new CountedText(text, least, most, budget).bounded();
  }

  private Automaton bounded() {
    if (text.getNumStates() > 0) {
      state(new Place(0, 0));
    }
    Transition transition = new Transition();
    while (!pending.isEmpty()) {
      Place place = pending.remove();
      int state = states.get(place);
      bounded.setAccept(state, text.isAccept(place.state()) && place.count() >= least);
      int transitions = text.initTransition(place.state(), transition);
      for (int i = 0; i < transitions; i++) {
        text.getNextTransition(transition);
        budget.spend(1);
        boolean counted = Label.isCounted(transition.min);
        if (counted && place.count() == most) {
          continue;
        }
        int first = counted ? Label.COUNTED : 0;
        Place next = new Place(transition.dest, place.count() + (counted && isBounded() ? 1 : 0));
        bounded.addTransition(state, state(next), transition.min - first, transition.max - first);
      }
    }
    return budget.deterministic(bounded.finish());
  }

  /** The characters of a text of any length need not be counted. */
  private boolean isBounded() {
    return least > 0 || most < Expression.UNBOUNDED;
  }

  private int state(Place place) {
    Integer known = states.get(place);
    if (known != null) {
      return known;
    }
    budget.spend(Network.COST);
    int state = bounded.createState();
    states.put(place, state);
    pending.add(place);
    return state;
  }
}
