package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RestingStatesTest {
  private static TokenBytes vocabulary(List<String> tokens) {
    int[] offsets = new int[tokens.size() + 1];
    for (int i = 0; i < tokens.size(); i++) {
      offsets[i + 1] = offsets[i] + tokens.get(i).getBytes(StandardCharsets.UTF_8).length;
    }
    return new TokenBytes(offsets, String.join("", tokens).getBytes(StandardCharsets.UTF_8));
  }

  private static ByteAutomaton resting(Expression answer, String... tokens) {
    return RestingStates.of(
        Answers.automaton(answer, WhiteSpace.COMPACT), vocabulary(List.of(tokens)));
  }

  private static Expression pattern(String pattern) {
    return PatternReader.whole(pattern, new Budget());
  }

  private static boolean mayRestAfter(ByteAutomaton automaton, String text) {
    return automaton.mayRest(Answers.walk(automaton, text));
  }

  @Test
  void allStatesRestWhereEachByteIsToken() {
    ByteAutomaton automaton = resting(pattern("abc?"), "a", "b", "c");

    assertThat(automaton.resting().cardinality()).isEqualTo(automaton.states());
  }

  @Test
  void noTokenMayEndWhereNoTokenLeadsOn() {
    ByteAutomaton automaton = resting(pattern("abcd|abx"), "a", "ab", "b", "cd", "c", "abx");

    assertThat(mayRestAfter(automaton, "")).isTrue();
    assertThat(mayRestAfter(automaton, "ab")).isTrue();
    assertThat(mayRestAfter(automaton, "abc")).isFalse();
    assertThat(mayRestAfter(automaton, "abcd")).isTrue();
  }

  @Test
  void refusesVocabulariesThatSpellNoAnswer() {
    assertThatThrownBy(() -> resting(pattern("ab*c"), "a", "b", "ab", ""))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("1 of the bytes that it needs are no tokens")
        .hasMessageContaining("0x63");
    assertThatThrownBy(() -> resting(pattern("a")))
        .isInstanceOf(InvalidResponseFormatException.class);
  }

  @Test
  void stringsRestWhereTheyCanBeLeftAndFilled() {
    Expression string = new Expression.JsonString(2, 3);

    ByteAutomaton automaton = resting(string, "\"", "a", "bb", "\"b");
    assertThat(mayRestAfter(automaton, "\"")).isTrue();
    assertThat(mayRestAfter(automaton, "\"b")).isTrue();
    assertThatThrownBy(() -> resting(string, "a", "\"b"))
        .as("nothing leaves the string")
        .isInstanceOf(InvalidResponseFormatException.class);
    assertThatThrownBy(() -> resting(string, "\"", "aaaa"))
        .as("nothing counts one character")
        .isInstanceOf(InvalidResponseFormatException.class);
  }

  @Test
  void aLargeVocabularyMayLackBytes() {
    Random random = new Random(1);
    Set<String> tokens = new TreeSet<>();
    for (char letter = ' '; letter < 'z'; letter++) {
      tokens.add(String.valueOf(letter));
    }
    while (tokens.size() < 128_000) {
      random
          .ints(2 + random.nextInt(7), 'a', 'z')
          .mapToObj(Character::toString)
          .reduce(String::concat)
          .ifPresent(tokens::add);
    }
    Expression string = new Expression.JsonString(0, 1_000);
    Expression strings =
        new Expression.Sequence(
            IntStream.range(0, 30)
                .<Expression>mapToObj(
                    i -> new Expression.Sequence(List.of(string, new Expression.Literal("," + i))))
                .toList());

    ByteAutomaton automaton = resting(strings, tokens.toArray(String[]::new));

    assertThat(mayRestAfter(automaton, "\"ab")).isTrue();
    assertThat(mayRestAfter(automaton, "\"ab\\")).isTrue();
    assertThat(mayRestAfter(automaton, "\"ab\u00e9")).isTrue();
    assertThat(automaton.resting().cardinality()).isLessThan(automaton.states());
  }

  @Test
  void noRandomAnswerIsStuck() {
    int spellable = 0;
    for (long seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      Expression answer = answer(random);
      TokenBytes vocabulary = randomVocabulary(random);
      ByteAutomaton automaton;
      try {
        automaton = RestingStates.of(Answers.automaton(answer, WhiteSpace.COMPACT), vocabulary);
      } catch (InvalidResponseFormatException e) {
        continue;
      }
      spellable++;
      assertNeverStuck(automaton, vocabulary, "seed " + seed);
    }
    assertThat(spellable).isGreaterThan(80);
  }

  /** From each position that tokens lead to, the answer may end or go on. */
  private static void assertNeverStuck(
      ByteAutomaton automaton, TokenBytes vocabulary, String what) {
    Set<Long> seen = new HashSet<>(Set.of(automaton.start()));
    Queue<Long> pending = new ArrayDeque<>(seen);
    while (!pending.isEmpty()) {
      long position = pending.remove();
      boolean leads = automaton.accepts(position);
      for (int token = 0; token < vocabulary.vocabulary(); token++) {
        long next = automaton.advance(position, vocabulary, token);
        leads |= next != ByteAutomaton.DEAD;
        if (next != ByteAutomaton.DEAD && seen.add(next)) {
          pending.add(next);
        }
      }
      assertThat(leads).as(what).isTrue();
    }
  }

  @Test
  void restsWhereverTokensLeadToAnEndWithoutStrings() {
    int restless = 0;
    for (long seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      TokenBytes vocabulary = randomVocabulary(random);
      ByteAutomaton all =
          Answers.automaton(
              new Expression.Choice(
                  List.of(Expression.EMPTY, pattern(RandomPatterns.pattern(random)))),
              WhiteSpace.COMPACT);

      BitSet expected = leadingToAnEnd(all, vocabulary);
      BitSet resting = RestingStates.of(all, vocabulary).resting();
      if (resting.cardinality() < all.states()) {
        restless++;
        assertThat(resting).as("seed " + seed).isEqualTo(expected);
      }
    }
    assertThat(restless).isGreaterThan(100);
  }

  /** The states from which tokens lead to an end: all are tried until no more is found. */
  private static BitSet leadingToAnEnd(ByteAutomaton all, TokenBytes vocabulary) {
    BitSet leading = all.accepting();
    int before;
    do {
      before = leading.cardinality();
      for (int state = 0; state < all.states(); state++) {
        for (int token = 0; token < vocabulary.vocabulary(); token++) {
          long next = all.advance(ByteAutomaton.position(state, 0), vocabulary, token);
          if (next != ByteAutomaton.DEAD && leading.get(ByteAutomaton.state(next))) {
            leading.set(state);
          }
        }
      }
    } while (leading.cardinality() > before);
    return leading;
  }

  /** Strings, and what a pattern matches. */
  private static Expression answer(Random random) {
    int least = random.nextInt(3);
    Expression string = new Expression.JsonString(least, least + random.nextInt(3));
    Expression text = PatternReader.search(RandomPatterns.text(random), new Budget());
    return new Expression.Sequence(
        List.of(
            new Expression.Choice(List.of(string, new Expression.JsonText(text, 0, 3))),
            pattern("(?:" + RandomPatterns.text(random) + ")?"),
            new Expression.Repetition(string, new Expression.Literal("-"), 0, 2)));
  }

  /** Tokens that may end within a character. */
  private static TokenBytes randomVocabulary(Random random) {
    byte[] alphabet = "abc1-\"\\né".getBytes(StandardCharsets.UTF_8);
    int[] offsets = new int[4 + random.nextInt(20)];
    byte[] bytes = new byte[3 * offsets.length];
    for (int i = 0; i + 1 < offsets.length; i++) {
      offsets[i + 1] = offsets[i] + random.nextInt(4);
    }
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = alphabet[random.nextInt(alphabet.length)];
    }
    int length = offsets[offsets.length - 1];
    return new TokenBytes(offsets, Arrays.copyOf(bytes, length));
  }
}
