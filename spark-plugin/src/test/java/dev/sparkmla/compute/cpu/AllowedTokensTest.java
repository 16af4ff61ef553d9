package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.RandomAutomata;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.TokenBytes;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AllowedTokensTest {
  /** Whatever was asked before, and so whichever sets are shared. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void areThoseThatTheAutomatonAdvancesWith(long seed) {
    Random random = new Random(seed);
    TokenBytes vocabulary = RandomAutomata.vocabulary(200, random);
    ByteAutomaton automaton = RandomAutomata.automaton(12, random);
    AllowedTokens allowed =
        new AllowedTokens(new Constraint(automaton, vocabulary, OptionalInt.empty()));
    for (int i = 0; i < 2000; i++) {
      long position = ByteAutomaton.position(random.nextInt(12), random.nextInt(9));
      for (int token = 0; token < vocabulary.vocabulary(); token++) {
        assertThat(allowed.at(position).get(token))
            .as("token %d at state %d", token, ByteAutomaton.state(position))
            .isEqualTo(automaton.advance(position, vocabulary, token) != ByteAutomaton.DEAD);
      }
    }
  }
}
