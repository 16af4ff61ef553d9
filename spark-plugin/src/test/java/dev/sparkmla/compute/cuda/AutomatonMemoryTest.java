package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.RandomAutomata;
import dev.sparkmla.cuda.AutomatonLayout;
import dev.sparkmla.cuda.FakeMemory;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.TokenBytes;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Where automata lie, without a device to copy them to. */
class AutomatonMemoryTest {
  private final TokenBytes vocabulary = RandomAutomata.vocabulary(300, new Random(1));
  private final List<Long> copies = new ArrayList<>();
  private final FakeMemory memory = new FakeMemory();
  private final AutomatonMemory automata =
      new AutomatonMemory(memory::device, (to, place, words) -> copies.add(place));

  /** Some 20 MB. */
  private static ByteAutomaton large() {
    int states = 1 << 20;
    int[] edges = new int[2 * states];
    byte[] classOf = new byte[256];
    classOf[0] = 1;
    return new ByteAutomaton(classOf, edges, new int[states], new int[states], new BitSet());
  }

  private Constraint constraint(ByteAutomaton automaton) {
    return new Constraint(automaton, vocabulary, OptionalInt.empty());
  }

  private Optional<AutomatonMemory.Table> take(ByteAutomaton automaton) {
    return automata.take(constraint(automaton));
  }

  @Test
  void anAutomatonIsCopiedOnceHoweverManyOwnIt() {
    ByteAutomaton small = RandomAutomata.only("yes");
    AutomatonMemory.Table first = take(small).orElseThrow();
    AutomatonMemory.Table second = take(small).orElseThrow();
    first.close();
    second.close();
    assertThatThrownBy(second::place).isInstanceOf(IllegalStateException.class);

    assertThat(take(small).orElseThrow().place()).isEqualTo(firstPlace());
    assertThat(copies).as("nothing, the vocabulary, the automaton").hasSize(3);
  }

  /** The first place behind the vocabulary, in words. */
  private int firstPlace() {
    return (int) ((AutomatonLayout.words(vocabulary) + 3) / 4 * 4);
  }

  @Test
  void thereIsNoRoomUntilAnotherIsGivenBack() {
    ByteAutomaton one = large();
    AutomatonMemory.Table held = take(one).orElseThrow();
    assertThat(take(large())).isPresent();
    assertThat(take(large())).isPresent();
    assertThat(take(large())).isEmpty();
    assertThat(take(one)).as("it is there already").isPresent().get().satisfies(t -> t.close());

    held.close();
    AutomatonMemory.Table instead = take(large()).orElseThrow();
    assertThat(instead.place()).isEqualTo(firstPlace());
    assertThat(take(one)).isEmpty();
  }

  @Test
  void closingATableTwiceGivesItBackOnce() {
    ByteAutomaton one = large();
    AutomatonMemory.Table held = take(one).orElseThrow();
    AutomatonMemory.Table again = take(one).orElseThrow();
    held.close();
    held.close();
    assertThat(take(large())).isPresent();
    assertThat(take(large())).isPresent();

    assertThat(take(large())).as("the first is owned still").isEmpty();
    assertThat(again.place()).isPositive();
  }

  /** What lies between automata that are owned does not overlap them. */
  @Test
  void automataDoNotOverlap() {
    Random random = new Random(2);
    List<AutomatonMemory.Table> held = new ArrayList<>();
    List<ByteAutomaton> known = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      known.add(RandomAutomata.automaton(1 + random.nextInt(40_000), random));
      take(known.get(random.nextInt(known.size()))).ifPresent(held::add);
      while (held.size() > 30) {
        held.remove(random.nextInt(held.size())).close();
      }
      BitSet used = new BitSet();
      held.stream()
          .map(table -> List.of(table.place(), words(table)))
          .distinct()
          .forEach(
              range -> {
                int end = range.get(0) + range.get(1);
                assertThat(used.get(range.get(0), end).isEmpty()).isTrue();
                assertThat(end).isLessThanOrEqualTo((int) (AutomatonMemory.BYTES / 4));
                used.set(range.get(0), end);
              });
    }
  }

  private static int words(AutomatonMemory.Table table) {
    return (int) AutomatonLayout.words(table.constraint().automaton());
  }

  @Test
  void refusesAnotherVocabulary() {
    take(RandomAutomata.only("yes"));
    Constraint other =
        new Constraint(
            RandomAutomata.only("no"),
            RandomAutomata.vocabulary(300, new Random(1)),
            OptionalInt.empty());
    assertThatThrownBy(() -> automata.take(other)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void givesItsMemoryBack() {
    automata.close();
    assertThat(memory.openBuffers()).isZero();
  }
}
