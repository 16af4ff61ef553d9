package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.ByteAutomaton.Action;
import dev.sparkmla.policy.TokenBytes;
import java.nio.ByteBuffer;
import java.util.BitSet;
import org.junit.jupiter.api.Test;

/** The words of a vocabulary and of an automaton as kernels read them. */
class AutomatonLayoutTest {
  @Test
  void aVocabularyHasItsOffsetsBeforeItsBytes() {
    ByteBuffer words =
        AutomatonLayout.write(new TokenBytes(new int[] {0, 2, 2, 5}, "abcde".getBytes()));

    assertThat(words.remaining()).isEqualTo(4 * (4 + 4 + 2));
    assertThat(words.getInt(0)).isEqualTo(3);
    assertThat(words.getInt(4)).isEqualTo(5);
    for (int i = 0; i < 4; i++) {
      assertThat(words.getInt(4 * (4 + i))).isEqualTo(new int[] {0, 2, 2, 5}[i]);
    }
    assertThat(words.get(4 * 8)).isEqualTo((byte) 'a');
    assertThat(words.get(4 * 8 + 4)).isEqualTo((byte) 'e');
  }

  @Test
  void anAutomatonHasItsClassesThenEdgesThenWhatIsSaidOfStates() {
    byte[] classOf = new byte[256];
    classOf['x'] = 1;
    int[] edges = {
      ByteAutomaton.NO_EDGE,
      ByteAutomaton.edge(1, Action.COUNT),
      ByteAutomaton.edge(0, Action.LEAVE),
      ByteAutomaton.NO_EDGE
    };
    BitSet accepting = new BitSet();
    accepting.set(1);
    BitSet resting = new BitSet();
    resting.set(0, 2);
    ByteBuffer words =
        AutomatonLayout.write(
            new ByteAutomaton(classOf, edges, new int[] {7, 8}, new int[] {9, 10}, accepting)
                .restingIn(resting));

    assertThat(words.remaining()).isEqualTo(4 * (68 + 4 + 6));
    assertThat(words.getInt(0)).isEqualTo(2);
    assertThat(words.getInt(4)).isEqualTo(2);
    assertThat(words.get(16 + 'x')).isOne();
    int[] rest = new int[10];
    words.asIntBuffer().get(68, rest);
    assertThat(rest)
        .containsExactly(
            -1,
            edges[1],
            edges[2],
            -1,
            7,
            8,
            9,
            10,
            AutomatonLayout.RESTS,
            AutomatonLayout.ACCEPTS | AutomatonLayout.RESTS);
  }
}
