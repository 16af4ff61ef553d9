package dev.sparkmla.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton.Action;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A quoted string of two to three letters "a", and then an exclamation mark. */
class ByteAutomatonTest {
  private static final int OTHER = 0;
  private static final int QUOTE = 1;
  private static final int LETTER = 2;
  private static final int MARK = 3;
  private static final int CLASSES = 4;
  private static final int STATES = 4;

  private static byte[] classOf() {
    byte[] classOf = new byte[256];
    classOf['"'] = QUOTE;
    classOf['a'] = LETTER;
    classOf['!'] = MARK;
    return classOf;
  }

  private static int[] edges() {
    int[] edges = new int[STATES * CLASSES];
    Arrays.fill(edges, ByteAutomaton.NO_EDGE);
    edges[QUOTE] = ByteAutomaton.edge(1, Action.KEEP);
    edges[CLASSES + LETTER] = ByteAutomaton.edge(1, Action.COUNT);
    edges[CLASSES + QUOTE] = ByteAutomaton.edge(2, Action.LEAVE);
    edges[2 * CLASSES + MARK] = ByteAutomaton.edge(3, Action.KEEP);
    return edges;
  }

  private static BitSet bits(int... states) {
    BitSet bits = new BitSet();
    Arrays.stream(states).forEach(bits::set);
    return bits;
  }

  private static ByteAutomaton automaton() {
    return new ByteAutomaton(
        classOf(), edges(), new int[] {0, 2, 0, 0}, new int[] {0, 3, 0, 0}, bits(3));
  }

  private static long walk(ByteAutomaton automaton, String text) {
    long position = automaton.start();
    for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
      position = automaton.step(position, value);
    }
    return position;
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"aa\"!", "\"aaa\"!"})
  void acceptsStringsWithinTheirBounds(String text) {
    long position = walk(automaton(), text);

    assertThat(automaton().accepts(position)).isTrue();
    assertThat(ByteAutomaton.state(position)).isEqualTo(3);
    assertThat(ByteAutomaton.count(position)).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"a\"", "\"aaaa", "x", "\"é", "\"aa\"!!"})
  void diesWhereNoAnswerGoesOn(String text) {
    assertThat(walk(automaton(), text)).isEqualTo(ByteAutomaton.DEAD);
    assertThat(automaton().accepts(ByteAutomaton.DEAD)).isFalse();
    assertThat(automaton().mayRest(ByteAutomaton.DEAD)).isFalse();
  }

  @Test
  void acceptsOnlyAtTheEnd() {
    assertThat(automaton().accepts(walk(automaton(), "\"aa\""))).isFalse();
    assertThat(ByteAutomaton.count(walk(automaton(), "\"aa"))).isEqualTo(2);
  }

  @Test
  void advancesByTokensThatMayEndWhereTheyDo() {
    TokenBytes vocabulary = TokenBytesTest.of("\"a", "a", "", "a\"", "aaa");
    ByteAutomaton automaton = automaton();
    long start = automaton.start();

    assertThat(automaton.advance(start, vocabulary, 0)).isEqualTo(walk(automaton, "\"a"));
    assertThat(automaton.advance(start, vocabulary, 1)).isEqualTo(ByteAutomaton.DEAD);
    assertThat(automaton.advance(start, vocabulary, 2)).isEqualTo(ByteAutomaton.DEAD);
    long one = automaton.advance(start, vocabulary, 0);
    assertThat(automaton.advance(one, vocabulary, 3)).isEqualTo(walk(automaton, "\"aa\""));
    assertThat(automaton.advance(one, vocabulary, 4)).isEqualTo(ByteAutomaton.DEAD);
    ByteAutomaton restless = automaton.restingIn(bits(0, 1, 3));
    assertThat(restless.advance(one, vocabulary, 3)).isEqualTo(ByteAutomaton.DEAD);
    assertThat(restless.advance(start, vocabulary, 0)).isEqualTo(one);
  }

  @Test
  void keepsWhatItWasMadeOf() {
    int[] edges = edges();
    ByteAutomaton automaton =
        new ByteAutomaton(classOf(), edges, new int[4], new int[4], new BitSet());

    edges[QUOTE] = ByteAutomaton.NO_EDGE;
    automaton.edges()[QUOTE] = ByteAutomaton.NO_EDGE;
    automaton.accepting().set(0);

    assertThat(automaton.edges()[QUOTE]).isEqualTo(1);
    assertThat(automaton.accepts(automaton.start())).isFalse();
    assertThat(automaton.states()).isEqualTo(STATES);
    assertThat(automaton.classes()).isEqualTo(CLASSES);
    assertThat(automaton.classOf()[0]).isEqualTo((byte) OTHER);
  }

  @Test
  void refusesWhatDoesNotFit() {
    int[] counts = new int[STATES];
    assertThatThrownBy(
            () -> new ByteAutomaton(new byte[255], edges(), counts, counts, new BitSet()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("classOf has 255 entries");
    assertThatThrownBy(
            () -> new ByteAutomaton(classOf(), new int[15], counts, counts, new BitSet()))
        .hasMessageContaining("15 edges; expected 4 states x 4 classes");
    assertThatThrownBy(() -> new ByteAutomaton(classOf(), edges(), counts, counts, bits(4)))
        .hasMessageContaining("state 4 accepts");
    assertThatThrownBy(
            () -> new ByteAutomaton(classOf(), edges(), counts, new int[3], new BitSet()))
        .hasMessageContaining("most has 3 entries");
    assertThatThrownBy(
            () -> new ByteAutomaton(classOf(), new int[0], new int[0], new int[0], new BitSet()))
        .hasMessageContaining("0 states");
    assertThatThrownBy(
            () ->
                new ByteAutomaton(
                    classOf(), edges(), new int[] {0, -1, 0, 0}, counts, new BitSet()))
        .hasMessageContaining("state 1 has the counts -1 to 0");
    for (int wrong : new int[] {4, 3 << ByteAutomaton.ACTION_SHIFT, -2}) {
      int[] edges = edges();
      edges[5] = wrong;
      assertThatThrownBy(() -> new ByteAutomaton(classOf(), edges, counts, counts, new BitSet()))
          .hasMessageContaining("expected a state below 4 and an action below 3");
    }
    assertThatThrownBy(() -> automaton().restingIn(bits(9))).hasMessageContaining("state 9");
  }
}
